//! IAM's words: identifiers, actions with what they can do, and policy documents.
//!
//! Identifiers are parsed once, at the border, and are valid from then on. Those with a narrow
//! alphabet ([`AccountId`], [`RoleName`]…) have `Display`; those that may hold any text ([`Arn`],
//! [`TagValue`]…) hand it out as `Untrusted` only. All are stored in this program's own files as plain
//! strings and validated again when read back.

pub mod action;
mod arn;
mod catalogue;
mod id;
pub mod policy;
mod tag;

pub use action::{Action, ActionPattern};
pub use arn::{Arn, PrincipalId};
pub use catalogue::{AccessLevel, Aim, Aims, Catalogue, Entry, Risk, Risks};
pub use id::{
    AccessKeyId, AccessKeyKind, AccountId, InvalidId, Partition, Region, RoleName, RoleSessionName,
    SourceIdentity, UniqueId, UniqueIdKind, UserName,
};
pub use tag::{TagKey, TagValue};
