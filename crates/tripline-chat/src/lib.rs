//! tripline-chat
