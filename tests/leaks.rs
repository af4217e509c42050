//! A story with canaries in it, told in a process of its own, and a look at everything that it left behind and
//! shows: no sink holds a person's number, name or word, in any form.

#[cfg(test)]
#[path = "leaks/forms.rs"]
mod forms;
#[cfg(test)]
#[path = "leaks/log.rs"]
mod log;
#[cfg(test)]
#[path = "leaks/pages.rs"]
mod pages;
#[cfg(test)]
#[expect(dead_code, reason = "shared: other binaries use the rest")]
#[path = "relay/receiver.rs"]
mod receiver;
#[cfg(test)]
#[path = "leaks/rows.rs"]
mod rows;
#[cfg(test)]
#[path = "leaks/scan.rs"]
mod scan;
#[cfg(test)]
#[path = "leaks/sinks.rs"]
mod sinks;
#[cfg(test)]
#[path = "leaks/story.rs"]
mod story;
#[cfg(test)]
#[expect(dead_code, reason = "shared: other binaries use the rest")]
mod support;
