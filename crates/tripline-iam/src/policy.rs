//! IAM policy documents, as this program writes them.
//!
//! Text enters a document as [`PolicyText`] only, so a session name or a tag value that came from a
//! record cannot bring wildcards or policy variables along. Reading documents is not done here.

mod condition;
mod document;
mod quota;
mod text;

pub use condition::{Condition, ConditionKey, Operator};
pub use document::{
    Actions, Effect, InvalidStatement, PolicyDocument, Principal, Resources, Sid, Statement,
};
pub use quota::Quota;
pub use text::PolicyText;
