//! `type` and `parameters`: what a provider documents, in place of what its operator does not write.
//!
//! Nothing is asked over the network; what is written beside a `type` wins over it.

mod documented;
mod parameter;

use std::path::PathBuf;

use crate::config::{
    document::{Spanned, mapping::Mapping, node::Node},
    presets::documented::{Audience, Documented, Issuers, PodFiles},
    problem::Place,
};

/// What `type` says of a provider.
#[derive(Debug)]
pub(in crate::config) enum Preset {
    /// No `type`: everything must be written.
    Absent,
    /// `type` or `parameters` were refused; nothing else is missed for their sake.
    Refused,
    /// These values, as if they stood at `place`.
    Known {
        /// The parameter that they follow from, else `type`.
        place: Place,
        /// The values.
        documented: Box<Documented>,
    },
}

/// Reads the parameters of one kind; the place is of the one that says whose tokens are meant.
type Reader = fn(&mut Mapping<'_>) -> Option<(Place, Documented)>;

impl Preset {
    /// Reads `type` and `parameters` of a provider.
    pub(in crate::config) fn read(provider: &mut Mapping<'_>) -> Self {
        let kind = provider.optional("type", Node::text);
        if !provider.has("type") {
            let without = "parameters without `type`; they are accepted beside one";
            provider.optional("parameters", |node| node.refuse::<()>(without));
            return Self::Absent;
        }
        let preset = kind.and_then(|kind| match reader(&kind.value) {
            Some(reader) => read_parameters(provider, &kind, reader),
            None => {
                provider.optional("parameters", Some);
                provider.refuse(&kind.place, &format!("unknown type; accepted are {NAMES}"));
                None
            }
        });
        match preset {
            Some((place, documented)) => Self::Known { place, documented: Box::new(documented) },
            None => Self::Refused,
        }
    }

    /// Whether the operator must write `issuer` or `issuers`.
    pub(in crate::config) fn asks_for_issuers(&self) -> bool {
        match self {
            Self::Absent => true,
            Self::Refused => false,
            Self::Known { documented, .. } => match documented.issuers {
                Issuers::These(_) => false,
                Issuers::Written | Issuers::OfEntraTenant => true,
            },
        }
    }

    /// Why they are missed, where it is not plain.
    pub(in crate::config) fn issuers_missed(&self) -> Option<&'static str> {
        let (_, documented) = self.known()?;
        (documented.issuers == Issuers::OfEntraTenant).then_some(DOMAIN_ALONE)
    }

    /// Whether the operator must write `audiences`.
    pub(in crate::config) fn asks_for_audiences(&self) -> bool {
        match self {
            Self::Absent => true,
            Self::Refused => false,
            Self::Known { documented, .. } => documented.audience == Audience::Written,
        }
    }

    /// Whether the operator must write `required_claims`.
    pub(in crate::config) fn asks_for_claims(&self) -> bool {
        matches!(self, Self::Known { documented, .. } if documented.open_to_anybody)
    }

    /// The documented issuers.
    pub(in crate::config) fn issuers(&self) -> Vec<Spanned<String>> {
        match self.known().map(|(place, documented)| (place, &documented.issuers)) {
            Some((place, Issuers::These(issuers))) => all_at(place, issuers),
            Some((_, Issuers::Written | Issuers::OfEntraTenant)) | None => Vec::new(),
        }
    }

    /// The documented audience, where there is only one.
    pub(in crate::config) fn audience(&self) -> Option<String> {
        match &self.known()?.1.audience {
            Audience::This(audience) => Some(audience.clone()),
            Audience::Written => None,
        }
    }

    /// Where the provider publishes its keys.
    pub(in crate::config) fn jwks_uri(&self) -> Option<Spanned<String>> {
        let (place, documented) = self.known()?;
        Some(at(place, documented.jwks_uri.as_ref()?))
    }

    /// The CAs that vouch for the server of the keys, and the token that it asks for.
    pub(in crate::config) fn pod_files(&self) -> Option<(Spanned<PathBuf>, Spanned<PathBuf>)> {
        let (place, documented) = self.known()?;
        let PodFiles { ca, token } = documented.pod_files?;
        let [ca, token] =
            [ca, token].map(|path| Spanned { value: path.into(), place: place.clone() });
        Some((ca, token))
    }

    /// The algorithms that the provider signs with.
    pub(in crate::config) fn algorithms(&self) -> Option<Vec<Spanned<String>>> {
        let (place, documented) = self.known()?;
        Some(all_at(place, documented.algorithms?))
    }

    /// The `typ` of access tokens.
    pub(in crate::config) fn token_types(&self) -> Option<Vec<Spanned<String>>> {
        let (place, documented) = self.known()?;
        Some(all_at(place, documented.token_types?))
    }

    /// The claim that says whom a token is for, where it is not `aud`.
    pub(in crate::config) fn audience_claim(&self) -> Option<Spanned<String>> {
        let (place, documented) = self.known()?;
        Some(at(place, documented.audience_claim?))
    }

    /// `written` and, of the claims that it does not name, those by which the provider tells its
    /// access tokens, or its tenants, apart.
    pub(in crate::config) fn with_required_claims(
        &self,
        mut written: Vec<(Spanned<String>, String)>,
        issuers: &[Spanned<String>],
        provider: &Mapping<'_>,
    ) -> Vec<(Spanned<String>, String)> {
        let Some((place, documented)) = self.known() else { return written };
        let mut required = documented.required_claims.clone();
        if documented.issuers == Issuers::OfEntraTenant {
            required.extend(entra_tenant(issuers, provider).map(|tenant| ("tid", tenant)));
        }
        for (claim, value) in required {
            if written.iter().all(|(name, _)| name.value != claim) {
                written.push((at(place, claim), value));
            }
        }
        written
    }

    fn known(&self) -> Option<(&Place, &Documented)> {
        match self {
            Self::Known { place, documented } => Some((place, documented)),
            Self::Absent | Self::Refused => None,
        }
    }
}

fn read_parameters(
    provider: &mut Mapping<'_>,
    kind: &Spanned<String>,
    reader: Reader,
) -> Option<(Place, Documented)> {
    let parameters = provider.optional("parameters", Node::mapping);
    if !provider.has("parameters") {
        let mut nothing = provider.empty("parameters");
        return reader(&mut nothing).map(|(_, documented)| (kind.place.clone(), documented));
    }
    let mut parameters = parameters?;
    let read = reader(&mut parameters);
    parameters.finish();
    read
}

/// The tenant that explicit issuers of Entra ID name: one and the same.
fn entra_tenant(issuers: &[Spanned<String>], provider: &Mapping<'_>) -> Option<String> {
    let mut tenant: Option<&str> = None;
    for issuer in issuers {
        let named = documented::entra_tenant_of(&issuer.value);
        match (named, tenant) {
            (Some(named), None) => tenant = Some(named),
            (Some(named), Some(first)) if named == first => {}
            (Some(_), Some(_)) | (None, _) => {
                provider.refuse(&issuer.place, ENTRA_ISSUER);
                return None;
            }
        }
    }
    tenant.map(str::to_owned)
}

fn reader(kind: &str) -> Option<Reader> {
    READERS.iter().find(|(name, _)| *name == kind).map(|(_, reader)| *reader)
}

fn at(place: &Place, value: impl Into<String>) -> Spanned<String> {
    Spanned { value: value.into(), place: place.clone() }
}

fn all_at<T: AsRef<str>>(place: &Place, values: &[T]) -> Vec<Spanned<String>> {
    values.iter().map(|value| at(place, value.as_ref())).collect()
}

const READERS: [(&str, Reader); 10] = [
    ("okta", parameter::okta),
    ("auth0", parameter::auth0),
    ("entra", parameter::entra),
    ("google", parameter::google),
    ("firebase", parameter::firebase),
    ("keycloak", parameter::keycloak),
    ("cognito", parameter::cognito),
    ("asgardeo", parameter::asgardeo),
    ("kubernetes", parameter::kubernetes),
    ("generic", parameter::generic),
];
const NAMES: &str =
    "okta, auth0, entra, google, firebase, keycloak, cognito, asgardeo, kubernetes, generic";
const DOMAIN_ALONE: &str = "missing; tokens name a tenant by its id, which a domain does not tell; \
     the tenant's id in its place, or the issuer that \
     https://login.microsoftonline.com/DOMAIN/v2.0/.well-known/openid-configuration shows, is \
     accepted";
const ENTRA_ISSUER: &str = "not an issuer of one tenant; beside a domain, \
     https://login.microsoftonline.com/TENANT-ID/v2.0, https://sts.windows.net/TENANT-ID/ or both \
     are accepted";

#[cfg(test)]
mod tests;
