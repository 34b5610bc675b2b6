//! Nodes that speak with each other: the words, and the links that carry them.

mod files;
mod lanes;
mod links;
mod node;
mod strangers;
mod words;
