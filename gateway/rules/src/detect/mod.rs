//! Detection. To come.
