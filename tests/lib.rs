//! Tests of the whole: the program and the engine on fixtures, and the shape of the workspace.
