//! Amazon Resource Names and principal ids: names with parts, of which some may hold any text.

use tripline_text::Untrusted;

use crate::id::{shown_escaped, text_id};
use crate::{AccountId, Partition, Region, RoleName, RoleSessionName, UniqueId};

/// An Amazon Resource Name, `arn:partition:service:region:account:resource`.
///
/// All parts but the last have a narrow alphabet; the resource may hold any text, colons and slashes
/// included, in up to 2,048 bytes for the whole. Source: IAM User Guide, "Identify AWS resources with
/// ARNs"; API reference, `arnType`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Arn(Box<str>);

text_id!(
    Arn,
    "an ARN",
    "arn:partition:service:region:account:resource in at most 2,048 bytes",
    |text| text.len() <= 2048 && Parts::of(text).is_some_and(|parts| parts.is_valid())
);
shown_escaped!(Arn);

impl Arn {
    /// The partition.
    #[must_use]
    pub fn partition(&self) -> Partition {
        // INVARIANT: `parse` accepted the partition; the default is never used.
        Partition::parse(self.parts().partition).unwrap_or(Partition::AWS)
    }

    /// The service's namespace, lower case (`s3`).
    #[must_use]
    pub fn service(&self) -> &str {
        self.parts().service
    }

    /// The Region; none for global services and buckets.
    #[must_use]
    pub fn region(&self) -> Option<Region> {
        Region::parse(self.parts().region).ok()
    }

    /// The owner; none where the ARN names no account (buckets) or AWS itself (AWS managed policies).
    #[must_use]
    pub fn account(&self) -> Option<AccountId> {
        AccountId::parse(self.parts().account).ok()
    }

    /// Everything after the fifth colon.
    #[must_use]
    pub fn resource(&self) -> Untrusted<'_> {
        Untrusted::borrowed(self.parts().resource)
    }

    /// The role of a role's ARN (`role/path/Name`, without the path) or of a role session's
    /// (`assumed-role/Name/session`).
    #[must_use]
    pub fn role_name(&self) -> Option<RoleName> {
        let parts = self.parts();
        let name = match (parts.service, parts.resource.split_once('/')?) {
            ("iam", ("role", path)) => path.rsplit('/').next()?,
            ("sts", ("assumed-role", session)) => session.split_once('/')?.0,
            _ => return None,
        };
        RoleName::parse(name).ok()
    }

    /// The session name of a role session's ARN (`assumed-role/Name/session`).
    #[must_use]
    pub fn role_session_name(&self) -> Option<RoleSessionName> {
        let parts = self.parts();
        match (parts.service, parts.resource.split_once('/')?) {
            ("sts", ("assumed-role", session)) => {
                RoleSessionName::parse(session.split_once('/')?.1).ok()
            }
            _ => None,
        }
    }

    /// The role's ARN for a role session's ARN.
    ///
    /// A session's ARN leaves out the role's path, so for a role with a path (every reserved SSO and
    /// service-linked role) the result names no existing role: prefer `sessionIssuer.arn`.
    #[must_use]
    pub fn role_arn_of_assumed_role(&self) -> Option<Self> {
        self.role_session_name()?;
        let (partition, account) = (self.parts().partition, self.account()?);
        let role = self.role_name()?;
        Some(Self(format!("arn:{partition}:iam::{account}:role/{role}").into()))
    }

    fn parts(&self) -> Parts<'_> {
        // INVARIANT: `parse` accepted the text, so the parts are there; the default is never used.
        Parts::of(&self.0).unwrap_or_default()
    }
}

#[derive(Default)]
struct Parts<'a> {
    partition: &'a str,
    service: &'a str,
    region: &'a str,
    account: &'a str,
    resource: &'a str,
}

impl<'a> Parts<'a> {
    fn of(text: &'a str) -> Option<Self> {
        let mut parts = text.strip_prefix("arn:")?.splitn(5, ':');
        Some(Self {
            partition: parts.next()?,
            service: parts.next()?,
            region: parts.next()?,
            account: parts.next()?,
            resource: parts.next()?,
        })
    }

    fn is_valid(&self) -> bool {
        let is_label = |text: &str| {
            text.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.'))
        };
        Partition::parse(self.partition).is_ok()
            && !self.service.is_empty()
            && is_label(self.service)
            && (self.region.is_empty() || Region::parse(self.region).is_ok())
            && is_label(self.account)
            && !self.resource.is_empty()
    }
}

/// `userIdentity.principalId`, which is also the value of `aws:userid`: `AROA…:session-name`, `AIDA…`,
/// `account:federated-name`, an account for root; for web identities any text.
///
/// Source: IAM User Guide, "IAM policy elements: Variables", principal key values.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PrincipalId(Box<str>);

text_id!(PrincipalId, "a principal id", "1 to 2,048 bytes", |text| {
    (1..=2048).contains(&text.len())
});
shown_escaped!(PrincipalId);

impl PrincipalId {
    /// The unique id of the role or user; none for root, federated users and web identities.
    #[must_use]
    pub fn unique_id(&self) -> Option<UniqueId> {
        let head = self.0.split_once(':').map_or(&*self.0, |(head, _)| head);
        UniqueId::parse(head).ok()
    }

    /// What follows the unique id or the account: the session's or the federated user's name.
    #[must_use]
    pub fn session_name(&self) -> Option<Untrusted<'_>> {
        let (head, name) = self.0.split_once(':')?;
        let names_session = UniqueId::parse(head).is_ok() || AccountId::parse(head).is_ok();
        names_session.then(|| Untrusted::borrowed(name))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn arn(text: &str) -> Arn {
        Arn::parse(text).unwrap()
    }

    #[test]
    fn an_arn_has_six_parts() {
        let table = arn("arn:aws-us-gov:dynamodb:us-gov-west-1:111122223333:table/T:x/\u{202e}");
        assert_eq!(table.partition(), Partition::AWS_US_GOV);
        assert_eq!(table.service(), "dynamodb");
        assert_eq!(table.region(), Region::parse("us-gov-west-1").ok());
        assert_eq!(table.account(), AccountId::parse("111122223333").ok());
        assert_eq!(table.resource(), "table/T:x/\u{202e}");
        assert_eq!(
            format!("{:?}", arn("arn:aws:s3:::b/\u{1b}")),
            r#"Arn("arn:aws:s3:::b/\u{1b}")"#
        );
    }

    #[test]
    fn parts_may_be_missing_where_aws_leaves_them_out() {
        let bucket = arn("arn:aws:s3:::bucket/key");
        assert_eq!((bucket.region(), bucket.account()), (None, None));
        assert_eq!(arn("arn:aws:iam::aws:policy/AWSDenyAll").account(), None);
        for text in [
            "",
            "arn",
            "arn:aws:s3::",
            "arn:aws:s3:::",
            "arn:aws::::x",
            "arn:x:s3:::b",
            "urn:aws:s3:::b",
            "arn:aws:s3:*:*:b",
            "arn:aws:s\n3:::b",
        ] {
            assert!(Arn::parse(text).is_err(), "{text}");
        }
        let resource_max = "x".repeat(2048 - "arn:aws:s3:::".len());
        assert!(Arn::parse(&format!("arn:aws:s3:::{resource_max}")).is_ok());
        assert!(Arn::parse(&format!("arn:aws:s3:::{resource_max}x")).is_err());
    }

    #[test]
    fn roles_and_their_sessions_are_told_apart() {
        let role = arn("arn:aws:iam::111122223333:role/path/to/Tool");
        assert_eq!(role.role_name(), RoleName::parse("Tool").ok());
        assert_eq!((role.role_session_name(), role.role_arn_of_assumed_role()), (None, None));
        let session = arn("arn:aws-cn:sts::111122223333:assumed-role/Tool/sess2");
        assert_eq!(session.role_name(), RoleName::parse("Tool").ok());
        assert_eq!(session.role_session_name(), RoleSessionName::parse("sess2").ok());
        assert_eq!(
            session.role_arn_of_assumed_role(),
            Some(arn("arn:aws-cn:iam::111122223333:role/Tool"))
        );
        for text in [
            "arn:aws:iam::111122223333:user/Tool",
            "arn:aws:iam::111122223333:role/",
            "arn:aws:s3::111122223333:role/Tool",
            "arn:aws:sts::111122223333:assumed-role/Tool",
        ] {
            assert_eq!(arn(text).role_name(), None, "{text}");
        }
    }

    #[test]
    fn principal_ids_have_many_shapes() {
        let parts = |text: &str| {
            let id = PrincipalId::parse(text).unwrap();
            let name = id.session_name().map(Untrusted::into_owned);
            (id.unique_id().map(|id| id.to_string()), name)
        };
        let role = Some("AROATFQR7NSC6Q6YRQ2Q7".to_owned());
        assert_eq!(parts("AROATFQR7NSC6Q6YRQ2Q7:a:b"), (role, Some(Untrusted::borrowed("a:b"))));
        assert_eq!(parts("AIDA32NEE582826ECMV4"), (Some("AIDA32NEE582826ECMV4".to_owned()), None));
        assert_eq!(parts("111122223333:bob"), (None, Some(Untrusted::borrowed("bob"))));
        assert_eq!(parts("111122223333"), (None, None));
        assert_eq!(parts("arn:aws:iam::1:oidc-provider/x:aud:sub"), (None, None));
        assert!(PrincipalId::parse("").is_err());
        assert!(PrincipalId::parse(&"x".repeat(2049)).is_err());
    }

    proptest! {
        #[test]
        fn parts_make_the_whole(
            service in "[a-z0-9-]{1,8}", region in "[a-z0-9-]{0,8}", account in "([0-9]{12})?", resource in ".{1,20}"
        ) {
            let text = format!("arn:aws:{service}:{region}:{account}:{resource}");
            let arn = arn(&text);
            prop_assert_eq!(arn.untrusted(), text.as_str());
            prop_assert_eq!(arn.service(), service);
            prop_assert_eq!(arn.region().map_or(String::new(), |region| region.to_string()), region);
            prop_assert_eq!(arn.account().map_or(String::new(), |account| account.to_string()), account);
            prop_assert_eq!(arn.resource(), resource.as_str());
        }

        #[test]
        fn stored_arns_come_back(text in any::<String>()) {
            if let Ok(arn) = Arn::parse(&format!("arn:aws:s3:::{text}")) {
                let json = serde_json::to_string(&arn).unwrap();
                prop_assert_eq!(serde_json::from_str::<Arn>(&json).unwrap(), arn);
            }
        }
    }
}
