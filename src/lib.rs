//! A memcached you scale by starting another node.

pub mod cli;
pub mod cluster;
pub mod lab;
pub mod limits;
pub mod node;
pub mod ring;
