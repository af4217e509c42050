//! Another login for staff (`OpenID` Connect): whose it is, and what its groups may do here.

use super::staff::{Extra, Rights, Role};

closed_set! {
    /// Who asks for the second step of somebody who comes by the other login.
    SecondFactor {
        /// The other login, by its own rules.
        Provider = "provider",
        /// The console, beside: an app or a passkey that was added here.
        Own = "own",
    }
}

/// What one group of the other login may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupRights {
    /// The group, as the other login names it.
    pub group: String,
    /// The account's id; `None` for every one.
    pub account: Option<String>,
    /// What whoever is in it may do there.
    pub rights: Rights,
}

impl GroupRights {
    /// A group that is of a role, in that account or in all.
    pub fn new(group: &str, role: Role, account: Option<&str>) -> Self {
        Self {
            group: group.to_owned(),
            account: account.map(str::to_owned),
            rights: Rights { role, extra: Extra::default() },
        }
    }
}

/// Another login, as the operator describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OidcRules {
    /// Its address, letter by letter as it names itself.
    pub issuer: String,
    /// Who we are to it.
    pub client_id: String,
    /// What its button is called; without one nothing but that it is another login.
    pub label: Option<String>,
    /// What is asked for beside `openid`.
    pub scopes: Vec<String>,
    /// The claim that holds the groups: its name, or the way to it with dots between.
    pub groups_claim: String,
    /// Who asks for the second step.
    pub second_factor: SecondFactor,
    /// What its groups may do; of two for one account the first counts.
    pub groups: Vec<GroupRights>,
}

impl OidcRules {
    /// The scopes that are asked for where nothing is said.
    pub const SCOPES: [&str; 1] = ["profile"];
    /// The claim where nothing is said.
    pub const GROUPS_CLAIM: &str = "groups";

    /// What somebody of these groups may do, for each account once; nothing where none opens anything.
    pub fn rights_of(&self, groups: &[String]) -> Vec<&GroupRights> {
        let mut found: Vec<&GroupRights> = Vec::new();
        for one in &self.groups {
            let said = found.iter().any(|before| before.account == one.account);
            if !said && groups.contains(&one.group) {
                found.push(one);
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(groups: Vec<GroupRights>) -> OidcRules {
        OidcRules {
            issuer: "https://login.example".to_owned(),
            client_id: "console".to_owned(),
            label: None,
            scopes: Vec::new(),
            groups_claim: OidcRules::GROUPS_CLAIM.to_owned(),
            second_factor: SecondFactor::Provider,
            groups,
        }
    }

    /// Of several groups the first in the list counts, for each account; a group that is not there opens nothing.
    #[test]
    fn the_first_group_of_an_account_counts() {
        let rules = rules(vec![
            GroupRights::new("leads", Role::Supervisor, None),
            GroupRights::new("support", Role::Agent, None),
            GroupRights::new("support", Role::Viewer, Some("AC1")),
        ]);
        let of = |groups: &[&str]| {
            let groups: Vec<String> = groups.iter().map(|one| (*one).to_owned()).collect();
            let found = rules.rights_of(&groups);
            found.iter().map(|one| (one.account.as_deref(), one.rights.role)).collect::<Vec<_>>()
        };
        assert_eq!(of(&["support"]), [(None, Role::Agent), (Some("AC1"), Role::Viewer)]);
        assert_eq!(
            of(&["support", "leads"]),
            [(None, Role::Supervisor), (Some("AC1"), Role::Viewer)]
        );
        assert_eq!(of(&["Support", "sales"]), []);
        assert_eq!(of(&[]), []);
    }
}
