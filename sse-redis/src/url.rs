//! Settings from a URL.

use std::{error::Error, fmt};

use percent_encoding::percent_decode_str;
use url::{Host, Url};

use crate::RedisConfig;

/// The error of a URL that does not name a Redis server as this crate reads it, from
/// [`RedisConfig::from_url`]. Its text does not contain the password.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum InvalidRedisUrl {
    /// The text is not a URL, for this reason.
    Syntax(String),
    /// The scheme, which is given here, is neither `redis` nor `rediss`.
    Scheme(String),
    /// The scheme is `rediss`, and the feature `tls` is off.
    NoTls,
    /// The URL has no host.
    NoHost,
    /// The URL names another database than 0. Channels are not part of a database, so topics are
    /// distinguished by [`prefix`](RedisConfig::prefix) instead.
    Database(String),
    /// The URL has a query or a fragment, which are not supported.
    Parameters,
    /// The user or the password is not UTF-8.
    Credentials,
}

impl fmt::Display for InvalidRedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Syntax(what) => write!(
                f,
                "the text is not a URL such as redis://127.0.0.1/: {what}"
            ),
            Self::Scheme(scheme) => {
                write!(
                    f,
                    "the URL of a server begins with redis:// or rediss://, not {scheme}:"
                )
            }
            Self::NoTls => f.write_str("rediss:// needs TLS: turn the feature `tls` on"),
            Self::NoHost => f.write_str("the URL has no host"),
            Self::Database(path) => write!(
                f,
                "the URL names the database {path}, and only 0 is used; set `prefix` instead"
            ),
            Self::Parameters => {
                f.write_str("the URL has a query or a fragment; set fields instead")
            }
            Self::Credentials => f.write_str("the user or the password is not UTF-8"),
        }
    }
}

impl Error for InvalidRedisUrl {}

impl RedisConfig {
    /// Creates the settings of the server at `url`, such as `redis://127.0.0.1/`: the host, the port, and
    /// optionally the user and the password, percent-encoded where needed. With the feature `tls`,
    /// `rediss://` is TLS with the runtime's own configuration.
    ///
    /// ```
    /// use sse_redis::RedisConfig;
    ///
    /// let config = RedisConfig::from_url("redis://events:p%40ss@redis.internal:6380/")?;
    /// assert_eq!((config.host.as_str(), config.port), ("redis.internal", 6380));
    /// assert_eq!(config.user, "events");
    /// assert_eq!(config.password.as_deref(), Some("p@ss"));
    /// # Ok::<(), sse_redis::InvalidRedisUrl>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`InvalidRedisUrl`], whose text does not contain the password.
    pub fn from_url(url: &str) -> Result<Self, InvalidRedisUrl> {
        let url = Url::parse(url).map_err(|error| InvalidRedisUrl::Syntax(error.to_string()))?;
        let mut config = Self::default();
        match url.scheme() {
            "redis" => {}
            #[cfg(feature = "tls")]
            "rediss" => config.tls = Some(crate::RedisTls::default()),
            #[cfg(not(feature = "tls"))]
            "rediss" => return Err(InvalidRedisUrl::NoTls),
            other => return Err(InvalidRedisUrl::Scheme(other.to_owned())),
        }
        config.host = match url.host() {
            Some(Host::Domain("")) | None => return Err(InvalidRedisUrl::NoHost),
            Some(Host::Ipv6(address)) => address.to_string(),
            Some(host) => host.to_string(),
        };
        config.port = url.port().unwrap_or(config.port);
        if !matches!(url.path(), "" | "/" | "/0") {
            let path = url.path().trim_start_matches('/');
            return Err(InvalidRedisUrl::Database(path.to_owned()));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(InvalidRedisUrl::Parameters);
        }
        if !url.username().is_empty() {
            config.user = decode(url.username())?;
        }
        config.password = url.password().map(decode).transpose()?;
        Ok(config)
    }
}

fn decode(text: &str) -> Result<String, InvalidRedisUrl> {
    let text = percent_decode_str(text).decode_utf8();
    Ok(text.map_err(|_| InvalidRedisUrl::Credentials)?.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_names_a_server() {
        let config = RedisConfig::from_url("redis://[::1]").unwrap();
        assert_eq!((config.host.as_str(), config.port), ("::1", 6379));
        assert_eq!((config.user.as_str(), config.password), ("default", None));
        let config = RedisConfig::from_url("redis://:secret@localhost:7000/0").unwrap();
        assert_eq!((config.host.as_str(), config.port), ("localhost", 7000));
        assert_eq!(config.password.as_deref(), Some("secret"));
    }

    #[test]
    fn a_url_that_asks_for_what_there_is_not_is_an_error() {
        use InvalidRedisUrl::*;
        let cases = [
            ("http://localhost/", Scheme("http".into())),
            ("redis:///0", NoHost),
            ("redis://localhost/3", Database("3".into())),
            ("redis://localhost/?db=3", Parameters),
            ("redis://localhost/#insecure", Parameters),
            ("redis://a:%ff@localhost/", Credentials),
        ];
        for (url, error) in cases {
            assert_eq!(RedisConfig::from_url(url).unwrap_err(), error, "{url}");
        }
        let error = RedisConfig::from_url("localhost").unwrap_err();
        assert!(matches!(error, Syntax(_)), "{error}");
    }

    #[test]
    fn a_secure_url_is_tls_or_says_what_is_missing() {
        let config = RedisConfig::from_url("rediss://localhost");
        #[cfg(feature = "tls")]
        assert!(config.unwrap().tls.is_some());
        #[cfg(not(feature = "tls"))]
        assert_eq!(config.unwrap_err(), InvalidRedisUrl::NoTls);
    }
}
