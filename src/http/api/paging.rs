//! Lists: filters, limits and opaque cursors.
//!
//! A cursor is the last id of a page and a signature over it, the account, the address and the
//! filters: it cannot be made up, carried to another account or used with other filters.

use axum::{
    extract::FromRequestParts,
    response::{IntoResponse as _, Response},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use http::{HeaderValue, StatusCode, header, request::Parts};
use serde::{Serialize, de::DeserializeOwned};
use utoipa::{IntoParams, ToSchema};

use super::{
    Api, auth,
    input::{self, bad_parameters},
    write,
};
use crate::{
    http::problem::{Code, FieldFault, Problem},
    ids::AccountId,
    store::sessions,
};

const LIMIT_DEFAULT: i64 = 25;
const LIMIT_MAX: i64 = 100;
const LABEL: &str = "cursor";

/// How many bytes a signature has.
const TAG_BYTES: usize = 32;

/// The parameters that every list takes.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "read by hand; this is for the document")]
pub(super) struct Paging {
    /// How many at most.
    #[param(minimum = 1, maximum = 100, default = 25)]
    limit: Option<u8>,
    /// Where to go on: `next_cursor` of the page before, with the same filters.
    cursor: Option<String>,
}

/// A page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Page<T> {
    /// What is on this page.
    data: Vec<T>,
    /// Whether there is another one.
    has_more: bool,
    /// Where it begins.
    next_cursor: Option<String>,
}

impl<T> Page<T> {
    /// The only page of a short list.
    pub(super) const fn whole(data: Vec<T>) -> Self {
        Self { data, has_more: false, next_cursor: None }
    }
}

/// A list that was asked for.
#[derive(Debug)]
pub(super) struct Listing<F> {
    pub(super) filter: F,
    limit: i64,
    /// The last id of the page before.
    after: Option<String>,
    account: AccountId,
    path: String,
    /// The filters, in one order, as the cursor is bound to them.
    filters: String,
}

impl<F: DeserializeOwned + Default> FromRequestParts<Api> for Listing<F> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Problem> {
        let account = auth::caller(parts)?.account;
        let query = parts.uri.query().unwrap_or_default();
        let (filter, kept) = input::query::<F>(query, &["limit", "cursor"])?;
        let [limit, cursor] = <[_; 2]>::try_from(kept).unwrap_or_default();
        let limit = limit.map_or(Ok(LIMIT_DEFAULT), |text| limit_of(&text))?;
        let path = parts.uri.path().to_owned();
        let filters = filters(query);
        let mut listing = Self { filter, limit, after: None, account, path, filters };
        if let Some(cursor) = cursor {
            let ring = api.0.relay.db().keyring();
            let genuine = |text: &[u8], tag: &[u8]| ring.verify(LABEL, text, tag);
            let after = listing.open(&cursor, genuine).ok_or_else(|| {
                let detail = "Use a cursor as it was given, with the filters it was given for.";
                Problem::new(Code::CursorInvalid, detail).with_fault(FieldFault::parameter(
                    "cursor",
                    "invalid",
                    "cannot be used here",
                ))
            })?;
            listing.after = Some(after);
        }
        Ok(listing)
    }
}

fn limit_of(text: &str) -> Result<i64, Problem> {
    text.parse().ok().filter(|limit| (1..=LIMIT_MAX).contains(limit)).ok_or_else(|| {
        bad_parameters([FieldFault::parameter("limit", "range", "must be between 1 and 100")])
    })
}

/// The query without what changes from page to page, in one order.
fn filters(query: &str) -> String {
    let mut pairs: Vec<_> = form_urlencoded::parse(query.as_bytes())
        .filter(|(name, _)| name != "limit" && name != "cursor")
        .collect();
    pairs.sort();
    form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
}

impl<F> Listing<F> {
    /// One more than a page: whether there is another one is known without counting.
    pub(super) const fn limit(&self) -> i64 {
        self.limit + 1
    }

    /// The last id of the page before, or less than any id.
    pub(super) fn after(&self) -> &str {
        self.after.as_deref().unwrap_or_default()
    }

    /// The same where it may be empty without being the first page.
    pub(super) fn last(&self) -> Option<&str> {
        self.after.as_deref()
    }

    /// The same for lists that have the newest first.
    pub(super) fn page(&self) -> sessions::Page {
        sessions::Page { before: self.after.clone(), after: None, limit: self.limit() }
    }

    fn signed(&self, last: &str) -> Vec<u8> {
        format!("{}\0{}\0{}\0{last}", self.account, self.path, self.filters).into_bytes()
    }

    fn seal(&self, last: &str, sign: impl FnOnce(&[u8]) -> [u8; 32]) -> String {
        let tag = sign(&self.signed(last));
        URL_SAFE_NO_PAD.encode([last.as_bytes(), &tag].concat())
    }

    fn open(&self, cursor: &str, genuine: impl FnOnce(&[u8], &[u8]) -> bool) -> Option<String> {
        let bytes = URL_SAFE_NO_PAD.decode(cursor).ok()?;
        let (last, tag) = bytes.split_at_checked(bytes.len().checked_sub(TAG_BYTES)?)?;
        let last = std::str::from_utf8(last).ok()?;
        genuine(&self.signed(last), tag).then(|| last.to_owned())
    }

    /// Answers with a page of what was found, of which there may be one more than fits.
    pub(super) fn answer<R, T: Serialize>(
        &self,
        api: &Api,
        mut found: Vec<R>,
        id: impl Fn(&R) -> &str,
        wire: impl FnOnce(Vec<R>) -> Result<Vec<T>, Problem>,
    ) -> Result<Response, Problem> {
        let limit = usize::try_from(self.limit).unwrap_or(usize::MAX);
        let has_more = found.len() > limit;
        found.truncate(limit);
        let last = found.last().filter(|_| has_more).map(&id);
        let next_cursor =
            last.map(|last| self.seal(last, |text| api.0.relay.db().keyring().sign(LABEL, text)));
        let link = next_cursor.as_ref().and_then(|cursor| self.link(api, cursor));
        let page = Page { data: wire(found)?, has_more, next_cursor };
        let mut response = write::json(StatusCode::OK, &page).into_response();
        if let Some(link) = link {
            response.headers_mut().insert(header::LINK, link);
        }
        Ok(response)
    }

    /// RFC 8288.
    fn link(&self, api: &Api, cursor: &str) -> Option<HeaderValue> {
        let and = if self.filters.is_empty() { "" } else { "&" };
        let Self { path, filters, limit, .. } = self;
        let url = &api.0.public_url;
        let link =
            format!("<{url}{path}?{filters}{and}limit={limit}&cursor={cursor}>; rel=\"next\"");
        HeaderValue::from_str(&link).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::privacy::{Keyring, MasterKey};

    const LAST: &str = "KC0123456789abcdef0123456789abcdef";

    fn listing(account: u8, path: &str, query: &str) -> Listing<()> {
        Listing {
            filter: (),
            limit: 1,
            after: None,
            account: AccountId::parse(&format!("AC{account:032x}")).unwrap(),
            path: path.into(),
            filters: filters(query),
        }
    }

    /// A cursor opens where it was made, with the filters in any order; nowhere else, and not bent.
    #[test]
    fn cursors_are_bound() {
        let ring = Keyring::new(MasterKey::generate());
        let open = |listing: Listing<()>, cursor: &str| {
            listing.open(cursor, |text, tag| ring.verify(LABEL, text, tag))
        };
        let cursor = listing(1, "/a", "x=1&y=2&limit=3").seal(LAST, |text| ring.sign(LABEL, text));
        assert_eq!(open(listing(1, "/a", "y=2&x=1"), &cursor).as_deref(), Some(LAST));
        for other in
            [listing(2, "/a", "x=1&y=2"), listing(1, "/b", "x=1&y=2"), listing(1, "/a", "x=1")]
        {
            assert_eq!(open(other, &cursor), None);
        }
        let mut bent = cursor.into_bytes();
        bent[3] = if bent[3] == b'A' { b'B' } else { b'A' };
        let bent = String::from_utf8(bent).unwrap();
        assert_eq!(open(listing(1, "/a", "x=1&y=2"), &bent), None);
        assert_eq!(open(listing(1, "/a", "x=1&y=2"), "éé"), None);
    }
}
