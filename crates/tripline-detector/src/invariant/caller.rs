//! Whether a call is about the caller itself.

use tripline_cloudtrail::{Json, Record};

/// Whether the role or user that the request names is the caller's own.
///
/// Names are compared without regard to case: IAM keeps them unique that way, so a different
/// spelling is never another principal. A call of IAM reaches its caller's account only, so names
/// suffice. A request that names neither (a group, a policy) is not about the caller, as far as the
/// record tells. Source: IAM/reference_iam-quotas, "name requirements".
pub(super) fn is_target(record: &Record<'_>, request: Json<'_>) -> bool {
    let is = |parameter: &str, own: Option<String>| {
        let Some(own) = own else { return false };
        request.get_text(parameter).is_some_and(|name| name.decode().eq_ignore_ascii_case(&own))
    };
    is("roleName", own_role(record)) || is("userName", own_user(record))
}

fn own_role(record: &Record<'_>) -> Option<String> {
    let identity = record.identity();
    let issuer = identity.session().issuer_arn().map(|arn| arn.decode());
    if let Some((_, path)) = issuer.as_deref().and_then(|arn| arn.split_once(":role/")) {
        return last(path);
    }
    // `arn:aws:sts::123456789012:assumed-role/name/session`, which leaves the path out.
    let arn = identity.arn()?.decode();
    let (_, rest) = arn.split_once(":assumed-role/")?;
    rest.split('/').next().map(str::to_owned)
}

fn own_user(record: &Record<'_>) -> Option<String> {
    let identity = record.identity();
    let arns = [identity.session().issuer_arn(), identity.arn()];
    let by_arn = arns.into_iter().flatten().find_map(|arn| {
        let arn = arn.decode();
        let (_, path) = arn.split_once(":user/")?;
        last(path)
    });
    by_arn.or_else(|| {
        let is_user = identity.kind().is_some_and(|kind| kind.is("IAMUser"));
        identity.user_name().filter(|_| is_user).map(|name| name.decode().into_owned())
    })
}

fn last(path: &str) -> Option<String> {
    path.rsplit('/').next().map(str::to_owned)
}
