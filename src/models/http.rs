//! One request and its answer: redirects, tokens, patience, and when to ask again.
//!
//! Redirects are followed here rather than by the HTTP library, because a token must reach the host
//! that it belongs to and no other.

use std::cell::Cell;
use std::time::{Duration, Instant};

use ureq::http::{Response, Uri};
use ureq::{Agent, Body, RequestBuilder};

use super::fetch::{FetchError, FetchOptions};

/// What is asked for, and what is known about it before it comes.
#[derive(Clone, Debug, Default)]
pub(super) struct Remote {
    pub(super) url: String,
    /// Sent to the first host only.
    pub(super) headers: Vec<(String, String)>,
    /// Bytes as they travel.
    pub(super) size: Option<u64>,
    /// SHA-256 as they travel.
    pub(super) sha256: Option<String>,
}

impl Remote {
    /// An address of which nothing is known.
    pub(super) fn at(url: &str) -> Self {
        Self {
            url: url.to_owned(),
            ..Self::default()
        }
    }
}

const MAX_REDIRECTS: u32 = 8;
/// Longest wait that a server may ask for.
const MAX_WAIT: Duration = Duration::from_secs(60);

pub(super) struct Client<'a> {
    agent: Agent,
    pub(super) options: &'a FetchOptions,
    start: Instant,
    answered: Cell<bool>,
}

/// How one attempt went wrong.
pub(super) enum Attempt {
    /// No later attempt can do better.
    Final(FetchError),
    /// The server asks to wait this long, or `None`: back off.
    Later(FetchError, Option<Duration>),
    /// The connection broke after this many new bytes.
    Broken(FetchError, u64),
}

impl<'a> Client<'a> {
    pub(super) fn new(options: &'a FetchOptions) -> Self {
        let agent = Agent::config_builder()
            .max_redirects(0)
            .http_status_as_error(false)
            .timeout_per_read(Some(options.stall))
            .user_agent(concat!("tarjama/", env!("CARGO_PKG_VERSION")))
            .accept_encoding("identity")
            .build()
            .into();
        Self {
            agent,
            options,
            start: Instant::now(),
            answered: Cell::new(false),
        }
    }

    /// Time that the next connection may take; an error once nobody has answered for too long.
    fn patience(&self, url: &str) -> Result<Duration, FetchError> {
        let patience = self.options.patience;
        match self.options.give_up_after {
            Some(limit) if !self.answered.get() => {
                let left = limit.saturating_sub(self.start.elapsed());
                if left < Duration::from_millis(50) {
                    let message = format!("no answer within {} s", limit.as_secs());
                    return Err(FetchError::Network {
                        url: url.to_owned(),
                        message,
                    });
                }
                Ok(patience.min(left))
            }
            _ => Ok(patience),
        }
    }

    /// One request, redirects followed.
    pub(super) fn send(
        &self,
        remote: &Remote,
        extra: &[(&str, String)],
        body: Option<&str>,
    ) -> Result<Response<Body>, FetchError> {
        let network = |url: &str, message: String| FetchError::Network {
            url: url.to_owned(),
            message,
        };
        let first: Uri = remote
            .url
            .parse()
            .map_err(|_| network(&remote.url, "not a valid address".into()))?;
        let mut uri = first.clone();
        for _ in 0..=MAX_REDIRECTS {
            let url = uri.to_string();
            let patience = self.patience(&url)?;
            let mut headers: Vec<(&str, &str)> =
                extra.iter().map(|(k, v)| (*k, v.as_str())).collect();
            let token = self.options.token_for(&uri).map(|t| format!("Bearer {t}"));
            if let Some(token) = &token {
                headers.push(("Authorization", token));
            }
            if same_place(&uri, &first) {
                headers.extend(remote.headers.iter().map(|(k, v)| (k.as_str(), v.as_str())));
            }
            let response = match body {
                None => prepare(self.agent.get(&url), patience, &headers).call(),
                Some(body) => prepare(self.agent.post(&url), patience, &headers).send(body),
            };
            let response = response.map_err(|e| network(&url, e.to_string()))?;
            self.answered.set(true);
            if !matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
                return Ok(response);
            }
            let location = header(&response, "location")
                .ok_or_else(|| network(&url, "a redirect without a target".into()))?;
            let next = resolve(&uri, &location).ok_or_else(|| {
                network(
                    &url,
                    format!("a redirect to `{location}`, which is no address"),
                )
            })?;
            if uri.scheme_str() == Some("https") && next.scheme_str() != Some("https") {
                return Err(network(&url, format!("a redirect from https to {next}")));
            }
            uri = next;
        }
        Err(network(
            &remote.url,
            format!("more than {MAX_REDIRECTS} redirects"),
        ))
    }

    /// A short text (a list of records); at most 64 MiB.
    pub(super) fn text(&self, remote: &Remote, body: Option<&str>) -> Result<String, FetchError> {
        let mut failures = 0;
        loop {
            let attempt = (|| {
                let mut response = self
                    .send(remote, &[], body)
                    .map_err(|e| Attempt::Broken(e, 0))?;
                refuse_status(&response, &remote.url)?;
                response
                    .body_mut()
                    .with_config()
                    .limit(64 << 20)
                    .read_to_string()
                    .map_err(|e| {
                        let url = remote.url.clone();
                        Attempt::Broken(
                            FetchError::Network {
                                url,
                                message: e.to_string(),
                            },
                            0,
                        )
                    })
            })();
            match attempt {
                Ok(text) => return Ok(text),
                Err(error) => self.again(error, &mut failures)?,
            }
        }
    }

    /// Waits before the next attempt, or gives the error back when there shall be none.
    pub(super) fn again(&self, attempt: Attempt, failures: &mut u32) -> Result<(), FetchError> {
        let (error, wait) = match attempt {
            Attempt::Final(error) => return Err(error),
            // A transfer that goes forward may break as often as it likes.
            Attempt::Broken(error, new) if new >= (1 << 20) => {
                *failures = 0;
                (error, None)
            }
            Attempt::Broken(error, _) => (error, None),
            Attempt::Later(error, wait) => (error, wait),
        };
        *failures += 1;
        if *failures >= self.options.attempts.max(1) {
            return Err(error);
        }
        let back_off = self
            .options
            .back_off
            .saturating_mul(1 << (*failures - 1).min(6));
        let wait = wait.unwrap_or(back_off).min(MAX_WAIT);
        tracing::info!("{error}; trying again in {} ms", wait.as_millis());
        std::thread::sleep(wait);
        Ok(())
    }
}

fn prepare<B>(
    request: RequestBuilder<B>,
    patience: Duration,
    headers: &[(&str, &str)],
) -> RequestBuilder<B> {
    let request = request
        .config()
        .timeout_resolve(Some(patience))
        .timeout_connect(Some(patience))
        .timeout_recv_response(Some(patience))
        .build();
    headers
        .iter()
        .fold(request, |r, (name, value)| r.header(*name, *value))
}

pub(super) fn refuse_status(response: &Response<Body>, url: &str) -> Result<(), Attempt> {
    let status = response.status().as_u16();
    let url = url.to_owned();
    match status {
        200 | 206 => Ok(()),
        401 | 403 => Err(Attempt::Final(FetchError::Denied { url, status })),
        408 | 429 | 500 | 502 | 503 | 504 => {
            let wait = header(response, "retry-after")
                .and_then(|after| asked_wait(&after, header(response, "date").as_deref()));
            Err(Attempt::Later(FetchError::Status { url, status }, wait))
        }
        _ => Err(Attempt::Final(FetchError::Status { url, status })),
    }
}

pub(super) fn header(response: &Response<Body>, name: &str) -> Option<String> {
    response
        .headers()
        .get(name)?
        .to_str()
        .ok()
        .map(str::to_owned)
}

/// How long `Retry-After` asks to wait: seconds, or a date by the server's own clock.
fn asked_wait(after: &str, date: Option<&str>) -> Option<Duration> {
    let after = after.trim();
    if let Ok(seconds) = after.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let parser = jiff::fmt::rfc2822::DateTimeParser::new();
    let until = parser.parse_timestamp(after).ok()?;
    let now = parser.parse_timestamp(date?.trim()).ok()?;
    let seconds = u64::try_from(until.as_second() - now.as_second()).unwrap_or(0);
    Some(Duration::from_secs(seconds))
}

/// Scheme, host and port are the same.
fn same_place(a: &Uri, b: &Uri) -> bool {
    a.scheme_str() == b.scheme_str() && a.host() == b.host() && a.port_u16() == b.port_u16()
}

fn resolve(base: &Uri, location: &str) -> Option<Uri> {
    let target = if location.contains("://") {
        location.to_owned()
    } else if let Some(rest) = location.strip_prefix("//") {
        format!("{}://{rest}", base.scheme_str()?)
    } else {
        let root = format!("{}://{}", base.scheme_str()?, base.authority()?);
        if location.starts_with('/') {
            root + location
        } else {
            let folder = base
                .path()
                .rsplit_once('/')
                .map_or("", |(folder, _)| folder);
            format!("{root}{folder}/{location}")
        }
    };
    let uri: Uri = target.parse().ok()?;
    (matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some()).then_some(uri)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_as_long_as_seconds_or_a_date_ask() {
        let now = Some("Wed, 21 Oct 2015 07:27:00 GMT");
        let cases = [
            ("7", None, Some(7)),
            (" 0 ", now, Some(0)),
            ("Wed, 21 Oct 2015 07:28:30 GMT", now, Some(90)),
            ("Wed, 21 Oct 2015 07:00:00 GMT", now, Some(0)),
            ("Wed, 21 Oct 2015 07:28:30 GMT", None, None),
            ("-5", now, None),
            ("soon", now, None),
            ("Wed, 21 Oct 2015", now, None),
        ];
        for (after, date, seconds) in cases {
            let expected = seconds.map(Duration::from_secs);
            assert_eq!(asked_wait(after, date), expected, "{after} {date:?}");
        }
    }
}
