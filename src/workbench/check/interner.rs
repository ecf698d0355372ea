//! Interns values: gives them dense ids, in the order of their first appearance.

use std::collections::HashMap;
use std::ops::Index;

use crate::workbench::edn::{Identity, Value};

/// Integers below this are looked up in a table instead of a hash map; the generators count up from zero,
/// and a full table takes four megabytes.
const TABLE_SIZE: usize = 1 << 20;

/// No id.
const NONE: u32 = u32::MAX;

/// Values by their ids.
#[derive(Debug, Default)]
pub(super) struct Interner {
    values: Vec<Value>,
    /// The id of each small integer, or [`NONE`].
    small: Vec<u32>,
    others: HashMap<Identity, usize>,
}

impl Interner {
    /// The id of a value, which gets the next one if it is new.
    pub(super) fn intern(&mut self, value: &Value) -> usize {
        if let Some(id) = self.of(value) {
            return id;
        }
        let id = self.values.len();
        self.values.push(value.clone());
        match (value.as_int().and_then(small), u32::try_from(id)) {
            (Some(index), Ok(number)) if number != NONE => {
                if self.small.len() <= index {
                    self.small.resize(index + 1, NONE);
                }
                self.small[index] = number;
            }
            _ => drop(self.others.insert(value.identity(), id)),
        }
        id
    }
    pub(super) fn values(&self) -> &[Value] {
        &self.values
    }

    pub(super) fn of(&self, value: &Value) -> Option<usize> {
        if let Value::Int(int) = value { self.of_int(*int) } else { self.others.get(&value.identity()).copied() }
    }

    pub(super) fn of_int(&self, int: i64) -> Option<usize> {
        if let Some(index) = small(int) {
            return self.small.get(index).filter(|id| **id != NONE).map(|id| *id as usize);
        }
        if self.others.is_empty() {
            return None;
        }
        self.others.get(&Value::Int(int).identity()).copied()
    }
}

impl Index<usize> for Interner {
    type Output = Value;

    fn index(&self, id: usize) -> &Value {
        &self.values[id]
    }
}

fn small(int: i64) -> Option<usize> {
    usize::try_from(int).ok().filter(|index| *index < TABLE_SIZE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_values_share_an_id_and_ids_are_dense() {
        let mut ids = Interner::default();
        let values = [Value::Int(5), Value::Int(-1), Value::Int(1 << 40), Value::str("5"), Value::ints(vec![5])];
        for (id, value) in values.iter().enumerate() {
            assert_eq!(ids.of(value), None);
            assert_eq!(ids.intern(value), id);
            assert_eq!(ids.intern(value), id);
            assert_eq!(ids.of(value), Some(id));
        }
        assert_eq!(ids.of_int(-1), Some(1));
        assert_eq!(ids.of(&Value::Vector(vec![Value::Int(5)])), Some(4));
        assert_eq!(ids.of(&Value::Float(5.0)), None);
    }
}
