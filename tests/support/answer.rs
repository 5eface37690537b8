//! A CheckResponse read as Envoy reads it.

use std::collections::BTreeMap;

use envoy_types::pb::{
    envoy::service::auth::v3::{CheckResponse, check_response::HttpResponse},
    google::protobuf::{Struct, value::Kind},
};

/// What Envoy would do.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Answer {
    /// 200 for an allow; else what the client is answered.
    pub(crate) status: u32,
    /// `google.rpc.Status.code`.
    pub(crate) code: i32,
    /// Allow: headers set on the request. Denial: headers of the answer.
    pub(crate) headers: BTreeMap<String, String>,
    /// Allow: headers taken off the request.
    pub(crate) removed: Vec<String>,
    /// Denial, or what claimgate itself serves: the body.
    pub(crate) body: String,
    /// `dynamic_metadata.claimgate`, its strings.
    pub(crate) metadata: BTreeMap<String, String>,
}

impl Answer {
    /// Reads a response, and holds it to what every response must be.
    #[track_caller]
    #[expect(deprecated, reason = "the old `append` must be set too")]
    pub(crate) fn read(response: CheckResponse) -> Self {
        let code = response.status.as_ref().expect("an unset status allows").code;
        let metadata = metadata(response.dynamic_metadata.as_ref().expect("always there"));
        let (status, options, removed, body) = match response.http_response.expect("always there") {
            HttpResponse::OkResponse(ok) => {
                assert_eq!(code, 0);
                (200, ok.headers, ok.headers_to_remove, String::new())
            }
            HttpResponse::DeniedResponse(denied) => {
                assert_ne!(code, 0, "a denial with status OK passes");
                let status = denied.status.expect("a status").code;
                let answered = metadata.get("outcome").is_some_and(|outcome| outcome == "answered");
                assert!(status >= 400 || answered);
                (u32::try_from(status).unwrap(), denied.headers, Vec::new(), denied.body)
            }
            HttpResponse::ErrorResponse(_) => panic!("error_response may fail open"),
        };
        let mut headers = BTreeMap::new();
        for option in options {
            assert!(!option.append.expect("append is set").value);
            assert_eq!(option.append_action, 2, "OVERWRITE_IF_EXISTS_OR_ADD");
            let header = option.header.unwrap();
            assert!(!header.value.is_empty(), "{} is empty", header.key);
            assert!(!removed.contains(&header.key), "{} is set and removed", header.key);
            assert_eq!(headers.insert(header.key, header.value), None, "set twice");
        }
        Self { status, code, headers, removed, body, metadata }
    }

    /// `reason` of the dynamic metadata, or `""`.
    pub(crate) fn reason(&self) -> &str {
        self.metadata.get("reason").map_or("", String::as_str)
    }

    /// A header by name, or `""`.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    /// Whether the request goes on without a claim.
    pub(crate) fn is_anonymous(&self) -> bool {
        self.status == 200 && self.headers.is_empty()
    }
}

fn metadata(outer: &Struct) -> BTreeMap<String, String> {
    let Some(Kind::StructValue(fields)) = &outer.fields["claimgate"].kind else {
        panic!("claimgate is no struct")
    };
    let text = |kind: &Option<Kind>| match kind {
        Some(Kind::StringValue(text)) => text.clone(),
        other => format!("{other:?}"),
    };
    fields.fields.iter().map(|(name, value)| (name.clone(), text(&value.kind))).collect()
}
