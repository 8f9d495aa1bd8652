//! A session of a canary's role, for a drill.

use aws_sdk_iam::Client;
use aws_sdk_iam::config::Credentials;
use aws_sdk_iam::error::ProvideErrorMetadata;
use tripline_containment::Failure;
use tripline_iam::{Arn, PrincipalId};
use tripline_runtime::{Canary, Chirp};

use crate::iam::{IamResponder, failure, other};

/// The name of its session.
const SESSION: &str = "tripline-fire-drill";

/// Acts as a role, by credentials of its own.
#[derive(Debug)]
pub struct RoleCanary {
    iam: Client,
    role_name: String,
    principal: Option<PrincipalId>,
}

impl RoleCanary {
    /// Takes the role on.
    ///
    /// # Errors
    /// [`Failure`], mostly that its trust policy does not let these credentials in.
    pub async fn of(hands: &IamResponder, role: &Arn) -> Result<Self, Failure> {
        let sts = aws_sdk_sts::Client::new(hands.config());
        let asked = sts.assume_role().role_arn(role.untrusted().as_unescaped());
        let asked = asked.role_session_name(SESSION).duration_seconds(900).send().await;
        let session = asked.map_err(|error| failure(&error))?;
        let (Some(keys), Some(name)) = (session.credentials(), role.role_name()) else {
            return Err(other("AssumeRole gave no credentials"));
        };
        let credentials = Credentials::new(
            keys.access_key_id(),
            keys.secret_access_key(),
            Some(keys.session_token().to_owned()),
            None,
            SESSION,
        );
        let config = aws_sdk_iam::config::Builder::from(hands.config());
        let iam = Client::from_conf(config.credentials_provider(credentials).build());
        let user = session.assumed_role_user();
        let principal = user.and_then(|user| PrincipalId::parse(user.assumed_role_id()).ok());
        Ok(Self { iam, role_name: name.as_str().to_owned(), principal })
    }

    /// What IAM calls its `aws:userid`.
    pub fn principal(&self) -> Option<&PrincipalId> {
        self.principal.as_ref()
    }
}

impl Canary for RoleCanary {
    async fn call(&self) -> Chirp {
        match self.iam.get_role().role_name(&self.role_name).send().await {
            Ok(_) => Chirp::Done,
            Err(error) => match failure(&error) {
                Failure::AccessDenied => {
                    // "… with an explicit deny in an identity-based policy"
                    let said = error.message().unwrap_or_default().contains("explicit deny");
                    if said { Chirp::Denied } else { Chirp::NotAllowed }
                }
                _ => Chirp::Lost,
            },
        }
    }
}
