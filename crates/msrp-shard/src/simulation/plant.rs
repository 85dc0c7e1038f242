//! Defects that can be planted into a node, by name.

use crate::defect::Defect;

/// A defect of a shard or of its switch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plant(pub(crate) Kind);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Shard(Defect),
    Switch(msrp_switch::Defect),
}

/// All of them, with their names.
#[must_use]
pub fn plants() -> Vec<(String, Plant)> {
    let of_shard = Defect::ALL.iter();
    let of_shard = of_shard.map(|(defect, name)| ((*name).to_owned(), Plant(Kind::Shard(*defect))));
    let of_switch = msrp_switch::Defect::ALL.into_iter();
    let of_switch =
        of_switch.map(|defect| (format!("Switch{defect:?}"), Plant(Kind::Switch(defect))));
    of_shard.chain(of_switch).collect()
}
