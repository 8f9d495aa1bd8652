//! The invariants: what each is for, and its verdict unless configured otherwise.
//!
//! Chosen from facts 6 (dangerous-action lists: CloudTrail tampering set, AWS's quarantine policy,
//! primeharbor's CC0 list, Stratus Red Team's techniques, new models of 2026) and 4.4 to 4.6 (what
//! outlives a kill, what undoes one). `kill` where no agent has business at all or where what
//! follows can no longer be seen or undone; `fence` where some agent's job could include it;
//! `alert` where it is common in honest work.

use super::rules::RULES;
use crate::verdict::Verdict;

/// A rule of which one broken call is enough.
#[derive(Debug, PartialEq, Eq)]
pub struct Invariant {
    /// The stable name in configuration and output, in kebab case.
    pub id: &'static str,
    /// What the call did, as the beginning of a sentence for a person.
    pub title: &'static str,
    /// The verdict unless configured otherwise.
    pub verdict: Verdict,
    /// The MITRE ATT&CK technique, where one fits.
    pub technique: Option<&'static str>,
    /// Why it is a rule.
    pub why: &'static str,
}

macro_rules! invariants {
    ($($name:ident = $id:literal, $verdict:ident, $technique:expr, $title:literal, $why:literal;)*) => {
        $(pub(super) static $name: Invariant = Invariant {
            id: $id,
            title: $title,
            verdict: Verdict::$verdict,
            technique: $technique,
            why: $why,
        };)*
        static ALL: &[&Invariant] = &[$(&$name),*];
    };
}

invariants! {
    STOP_TRAIL = "stop-trail", Kill, Some("T1562.008"),
        "stops or deletes a trail or an event data store",
        "without records nobody sees what comes next";
    CHANGE_TRAIL = "change-trail", Kill, Some("T1562.008"),
        "changes what a trail records or where it goes",
        "an event selector can silence a trail as well as StopLogging can, and looks harmless";
    THIN_TRAIL = "thin-trail", Fence, Some("T1562.008"),
        "changes Insights or the detail of a trail's events",
        "takes away evidence, not the records themselves";
    TRAIL_BUCKET = "trail-bucket", Kill, Some("T1485.001"),
        "changes or empties the bucket in which a trail keeps its files",
        "a lifecycle rule of one day destroys the logs, a bucket policy stops their delivery";
    DISABLE_GUARD_RAIL = "disable-guard-rail", Kill, Some("T1562.001"),
        "switches off a security service",
        "GuardDuty, Config, Security Hub, Macie and the like watch the agent too";
    WEAKEN_GUARD_RAIL = "weaken-guard-rail", Fence, Some("T1562.001"),
        "narrows what a security service sees or reports",
        "suppression rules, trusted address lists and lost members hide findings one by one";
    STOP_NETWORK_LOGS = "stop-network-logs", Fence, Some("T1562.008"),
        "stops the logs of flows or DNS queries",
        "they are the other witness of an exfiltration; some infrastructure agents remove a whole VPC";
    DELETE_LOGS = "delete-logs", Fence, Some("T1070"),
        "deletes logs or what carries them onward",
        "evidence of what ran; some agents clean up log groups they made";
    SILENCE_ALARMS = "silence-alarms", Alert, Some("T1562.001"),
        "deletes or mutes CloudWatch alarms",
        "common in honest work: auto scaling removes its own";
    LEAVE_ORGANIZATION = "leave-organization", Kill, Some("T1666"),
        "takes an account out of its organisation",
        "the organisation's policies, the one guard that an administrator of the account cannot lift, end there";
    LIFT_ORGANIZATION_GUARD = "lift-organization-guard", Kill, Some("T1666"),
        "removes or changes an organisation's policies, trusted services or administrators",
        "service control policies are what keeps a kill in place";
    GROW_ORGANIZATION = "grow-organization", Fence, Some("T1666"),
        "adds accounts, delegated administrators or trusted services to an organisation",
        "an account that nobody watches, or a second administrator";
    EDIT_OWN_PERMISSIONS = "edit-own-permissions", Kill, Some("T1098.003"),
        "edits its own permissions",
        "what an agent may do is decided outside the agent";
    EDIT_OWN_TRUST = "edit-own-trust", Kill, Some("T1098.003"),
        "edits the trust policy of its own role",
        "opens a way back in that survives the end of the session";
    EDIT_PERMISSIONS = "edit-permissions", Fence, Some("T1098.003"),
        "edits the permissions of another principal, or a policy",
        "a step towards privileges by way of another role; some platform agents manage roles";
    EDIT_TRUST = "edit-trust", Fence, Some("T1098.003"),
        "edits the trust policy of another role",
        "decides who else may become that role";
    TRUST_ANYONE = "trust-anyone", Kill, Some("T1098.003"),
        "lets anybody assume a role",
        "a trust policy for `*` without a condition on the caller is a door for the whole world";
    TRUST_OTHER_ACCOUNT = "trust-other-account", Fence, Some("T1098.003"),
        "lets another account assume a role",
        "a way back in from an account that nobody here controls";
    UNDO_TRIPLINE = "undo-tripline", Kill, Some("T1562.001"),
        "removes or changes what Tripline put in place",
        "only somebody who wants to escape does that; infrastructure as code is told apart by its own identity";
    CREATE_CREDENTIAL = "create-credential", Kill, Some("T1098.001"),
        "creates or replaces a long-lived credential",
        "it outlives the session and every block on it";
    CREATE_USER = "create-user", Fence, Some("T1136.003"),
        "creates a user",
        "the first half of a lasting way in";
    CHANGE_MFA = "change-mfa", Fence, Some("T1556.006"),
        "changes a multi-factor device",
        "takes a person's second factor away, or adds one for an intruder";
    MINT_ASIDE = "mint-aside", Fence, Some("T1550.001"),
        "asks for credentials that work outside its session",
        "a federation token or a web identity token goes on where the session ends";
    ASSUME_ROOT = "assume-root", Kill, Some("T1078.004"),
        "becomes root of a member account",
        "no agent's work needs root";
    CREATE_FEDERATION = "create-federation", Kill, Some("T1484.002"),
        "makes the account trust another source of identities",
        "a trust anchor or an identity provider mints sessions for as long as it stands";
    GRANT_ACCESS = "grant-access", Fence, Some("T1098.003"),
        "grants people access by Identity Center",
        "permission sets and assignments reach whole organisations";
    DELEGATE = "delegate", Kill, Some("T1548.005"),
        "delegates permissions outside the account, or takes a role by template",
        "what was handed out is not taken back by a kill";
    OPEN_TO_WORLD = "open-to-world", Kill, Some("T1537"),
        "opens data or a function to everybody",
        "once public, copies are out of reach";
    SHARE_OUTSIDE = "share-outside", Fence, Some("T1537"),
        "shares data with another account",
        "a shared snapshot or image is copied in a minute; accounts of one's own can be listed";
    UNBLOCK_PUBLIC_ACCESS = "unblock-public-access", Fence, Some("T1562.001"),
        "lifts a block on public access",
        "the step before opening data to the world";
    OPEN_PORT = "open-port", Fence, Some("T1562.007"),
        "opens remote administration, or every port, to the whole internet",
        "SSH and RDP are found by scanners within minutes";
    DESTROY_KEY = "destroy-key", Kill, Some("T1485"),
        "disables or destroys an encryption key",
        "everything encrypted with it is gone at once, backups included";
    DESTROY_BACKUPS = "destroy-backups", Kill, Some("T1490"),
        "destroys backups or stops them",
        "what ransom begins with";
    DELETE_SNAPSHOTS = "delete-snapshots", Fence, Some("T1490"),
        "deletes snapshots",
        "backups under another name; some agents clean up old ones";
    DELETE_UNSAVED = "delete-unsaved", Fence, Some("T1485"),
        "deletes a database without a final snapshot",
        "cannot be undone; common only in test accounts";
    SUSPEND_VERSIONING = "suspend-versioning", Fence, Some("T1490"),
        "suspends a bucket's versioning",
        "the next overwrite is final";
    TOUCH_CANARY = "touch-canary", Kill, None,
        "touches a decoy",
        "nothing honest uses it, so that an attempt alone, even a refused one, says enough";
}

impl Invariant {
    /// All of them, in the order of the list.
    pub fn all() -> &'static [&'static Self] {
        ALL
    }

    /// The invariant with this id.
    pub fn by_id(id: &str) -> Option<&'static Self> {
        ALL.iter().find(|invariant| invariant.id == id).copied()
    }

    /// The events that can break it, as IAM service and event name; for some, the request decides.
    /// None for decoys: any call breaks that one.
    pub fn events(&'static self) -> impl Iterator<Item = (&'static str, &'static str)> {
        RULES
            .iter()
            .filter(move |rule| rule.invariant == self)
            .map(|rule| (rule.service, rule.event))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn ids_are_kebab_and_unique() {
        let ids: BTreeSet<_> = ALL.iter().map(|invariant| invariant.id).collect();
        assert_eq!(ids.len(), ALL.len());
        assert!(
            ids.iter().all(|id| id.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-'))
        );
    }

    #[test]
    fn every_invariant_but_decoys_has_events() {
        for invariant in ALL {
            assert_eq!(
                invariant.events().count() == 0,
                invariant.id == "touch-canary",
                "{}",
                invariant.id
            );
        }
    }

    #[test]
    fn techniques_have_mitre_form() {
        for technique in ALL.iter().filter_map(|invariant| invariant.technique) {
            let digits = technique.strip_prefix('T').unwrap();
            assert!(
                digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
                    && digits.len() >= 4
            );
        }
    }
}
