//! Who believes whom: real TLS on loopback, by clocks of the tests' own.

#[cfg(test)]
mod forgery;
#[cfg(test)]
mod meeting;
#[cfg(test)]
mod rotation;
#[cfg(test)]
mod serving;
#[cfg(test)]
mod status;
#[cfg(test)]
mod support;
