//! Whose data a resource is, where its name tells: for fleets that keep each tenant's data under a
//! prefix of its own.

use serde::Deserialize;
use tripline_text::Untrusted;

/// Where tenants stand in the names of resources; `[tenants]` in `tripline.toml`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TenantRules {
    /// Patterns such as `arn:aws:s3:::customer-data/{tenant}/*`.
    #[serde(default)]
    resources: Vec<TenantPattern>,
}

/// The name of a resource in which one part is the tenant: text, `{tenant}`, and text, of which the last
/// may end in `*`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct TenantPattern {
    before: Box<str>,
    after: Box<str>,
    open_end: bool,
}

/// A pattern that names no tenant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must have `{{tenant}}` once, and `*` nowhere but at its end")]
pub struct InvalidTenantPattern;

impl TryFrom<String> for TenantPattern {
    type Error = InvalidTenantPattern;

    fn try_from(text: String) -> Result<Self, InvalidTenantPattern> {
        let (before, after) = text.split_once("{tenant}").ok_or(InvalidTenantPattern)?;
        let open_end = after.ends_with('*');
        let after = after.strip_suffix('*').unwrap_or(after);
        if before.is_empty() || after.contains("{tenant}") || [before, after].concat().contains('*')
        {
            return Err(InvalidTenantPattern);
        }
        Ok(Self { before: before.into(), after: after.into(), open_end })
    }
}

impl TenantPattern {
    /// The tenant in the name of a resource. It holds no `/`, and ends where the text behind it starts
    /// first; where that ends the name, at its end.
    fn find<'r>(&self, resource: &'r str) -> Option<&'r str> {
        let rest = resource.strip_prefix(&*self.before)?;
        let tenant = match (self.open_end, &*self.after) {
            (false, after) => rest.strip_suffix(after)?,
            (true, "") => rest.split('/').next()?,
            (true, after) => rest.split_once(after)?.0,
        };
        (!tenant.is_empty() && !tenant.contains('/')).then_some(tenant)
    }
}

impl TenantRules {
    /// Whether there are any.
    pub fn is_empty(&self) -> bool {
        self.resources.is_empty()
    }

    /// The tenants whose resources these are, without repetitions: a call may reach for several.
    pub fn tenants_of(&self, resources: &[Untrusted<'_>]) -> Vec<Untrusted<'static>> {
        let mut tenants: Vec<Untrusted<'static>> = Vec::new();
        for resource in resources {
            let found = self.resources.iter().find_map(|it| it.find(resource.as_unescaped()));
            if let Some(tenant) = found
                && !tenants.iter().any(|known| known == tenant)
            {
                tenants.push(Untrusted::new(tenant.to_owned()));
            }
        }
        tenants
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(text: &str) -> Result<TenantPattern, InvalidTenantPattern> {
        TenantPattern::try_from(text.to_owned())
    }

    #[test]
    fn tenants_are_found_in_names() {
        let rules = TenantRules {
            resources: vec![
                pattern("arn:aws:s3:::data/{tenant}/*").unwrap(),
                pattern("arn:aws:s3:::bucket-{tenant}-logs").unwrap(),
            ],
        };
        let tenants = |names: &[&str]| {
            let names: Vec<_> = names.iter().map(|name| Untrusted::borrowed(name)).collect();
            let found = rules.tenants_of(&names);
            found.iter().map(|tenant| tenant.as_unescaped().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(tenants(&["arn:aws:s3:::data/acme/x/y", "arn:aws:s3:::data/acme/z"]), ["acme"]);
        assert_eq!(
            tenants(&["arn:aws:s3:::data/acme/x", "arn:aws:s3:::data/globex/x"]),
            ["acme", "globex"]
        );
        assert_eq!(tenants(&["arn:aws:s3:::bucket-acme-logs"]), ["acme"]);
        assert_eq!(tenants(&["arn:aws:s3:::bucket-acme-north-logs"]), ["acme-north"]);
        for none in
            ["arn:aws:s3:::data//x", "arn:aws:s3:::data", "arn:aws:s3:::bucket-a-logs/x", ""]
        {
            assert_eq!(tenants(&[none]), [""; 0], "{none}");
        }
    }

    #[test]
    fn a_pattern_without_a_tenant_is_refused() {
        for text in [
            "arn:aws:s3:::data/*",
            "{tenant}",
            "a/{tenant}/{tenant}",
            "a*/{tenant}",
            "a/{tenant}/*x",
        ] {
            assert_eq!(pattern(text), Err(InvalidTenantPattern), "{text}");
        }
    }
}
