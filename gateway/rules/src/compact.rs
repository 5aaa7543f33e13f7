//! Lists of which most have one entry, and of which there are as many as open incidents.

/// Adds an entry. The first takes the room of one: a list makes room for four by itself, which is
/// 30 MB for the 20,000 fires of an earthquake.
pub(crate) fn push_compact<T>(list: &mut Vec<T>, entry: T) {
    if list.is_empty() {
        list.reserve_exact(1);
    }
    list.push(entry);
}

#[cfg(test)]
mod tests {
    use super::push_compact;

    #[test]
    fn the_first_entry_takes_the_room_of_one() {
        let mut list = Vec::new();
        push_compact(&mut list, [0_u64; 16]);
        assert_eq!(list.capacity(), 1);
        push_compact(&mut list, [1; 16]);
        push_compact(&mut list, [2; 16]);
        assert_eq!(list, [[0; 16], [1; 16], [2; 16]]);
    }
}
