//! Who is next: everybody's own requests in their order, and everybody in turn.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;

/// A bounded queue that serves users round robin, however much one of them has waiting.
#[derive(Debug)]
pub(super) struct FairQueue<User, Item> {
    /// Users with something waiting; the first is next.
    turns: VecDeque<User>,
    waiting: HashMap<User, VecDeque<Item>>,
    length: usize,
    per_user: usize,
    total: usize,
}

/// There is no more room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Full {
    /// This user has as much waiting as anybody may.
    OfOwn,
    OfAll,
}

impl<User: Clone + Eq + Hash, Item> FairQueue<User, Item> {
    pub(super) fn new(per_user: usize, total: usize) -> Self {
        Self { turns: VecDeque::new(), waiting: HashMap::new(), length: 0, per_user, total }
    }

    pub(super) const fn len(&self) -> usize {
        self.length
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Everybody with something waiting, each once.
    pub(super) fn users(&self) -> impl Iterator<Item = &User> {
        self.turns.iter()
    }

    /// Everything that waits, in no order.
    pub(super) fn items(&self) -> impl Iterator<Item = &Item> {
        self.waiting.values().flatten()
    }

    pub(super) fn push(&mut self, user: User, item: Item) -> Result<(), Full> {
        let own = self.waiting.get(&user).map_or(0, VecDeque::len);
        if own >= self.per_user {
            return Err(Full::OfOwn);
        }
        if self.length >= self.total {
            return Err(Full::OfAll);
        }
        if own == 0 {
            self.turns.push_back(user.clone());
        }
        self.waiting.entry(user).or_default().push_back(item);
        self.length += 1;
        Ok(())
    }

    /// The first request of whoever holds the fewest places already; of several, of the one whose turn it is. Whoever
    /// holds `most` gets no more.
    pub(super) fn pop_for(&mut self, held: impl Fn(&User) -> usize, most: usize) -> Option<(User, Item)> {
        let users = self.turns.iter().map(held).enumerate();
        let (turn, _) = users.filter(|(_, held)| *held < most).min_by_key(|(turn, held)| (*held, *turn))?;
        let user = self.turns.remove(turn)?;
        let own = self.waiting.get_mut(&user)?;
        let item = own.pop_front()?;
        self.length -= 1;
        if own.is_empty() {
            self.waiting.remove(&user);
        } else {
            self.turns.push_back(user.clone());
        }
        Some((user, item))
    }

    /// All that waits, with how much of it is before each if everybody simply takes turns.
    pub(super) fn in_order(&mut self, mut each: impl FnMut(&mut Item, usize)) {
        let mut ahead = 0;
        for round in 0..self.per_user {
            let before = ahead;
            for user in &self.turns {
                if let Some(item) = self.waiting.get_mut(user).and_then(|own| own.get_mut(round)) {
                    each(item, ahead);
                    ahead += 1;
                }
            }
            if ahead == before {
                return;
            }
        }
    }

    /// Drops what is no longer wanted, so that it takes nobody's place.
    pub(super) fn retain(&mut self, mut wanted: impl FnMut(&Item) -> bool) {
        for own in self.waiting.values_mut() {
            own.retain(&mut wanted);
        }
        self.waiting.retain(|_, own| !own.is_empty());
        let waiting = &self.waiting;
        self.turns.retain(|user| waiting.contains_key(user));
        self.length = self.waiting.values().map(VecDeque::len).sum();
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    impl<User: Clone + Eq + Hash, Item> FairQueue<User, Item> {
        /// Where nobody holds anything, users simply take turns.
        fn pop(&mut self) -> Option<Item> {
            self.pop_for(|_| 0, usize::MAX).map(|(_, item)| item)
        }
    }

    #[test]
    fn who_holds_many_places_waits_for_who_holds_few() {
        let mut queue = FairQueue::new(8, 64);
        for number in 0..3 {
            queue.push("greedy", number).unwrap();
        }
        queue.push("modest", 10).unwrap();
        queue.push("modest", 11).unwrap();
        let mut held = HashMap::from([("greedy", 2)]);
        let mut order = Vec::new();
        while let Some((user, _)) = queue.pop_for(|user| held.get(user).copied().unwrap_or(0), 4) {
            *held.entry(user).or_default() += 1;
            order.push(user);
        }
        assert_eq!(order, ["modest", "modest", "greedy", "greedy"], "and nobody holds more than four");
        assert_eq!(queue.len(), 1);
    }

    #[test]
    fn a_second_user_waits_for_one_request_of_the_first_not_for_all() {
        let mut queue = FairQueue::new(8, 64);
        for number in 0..8 {
            queue.push("first", ("first", number)).unwrap();
        }
        queue.push("second", ("second", 0)).unwrap();
        let order: Vec<_> = std::iter::from_fn(|| queue.pop()).map(|(user, _)| user).take(3).collect();
        assert_eq!(order, ["first", "second", "first"]);
    }

    #[test]
    fn nobody_fills_the_queue_alone() {
        let mut queue = FairQueue::new(2, 3);
        assert_eq!(queue.push("a", 1), Ok(()));
        assert_eq!(queue.push("a", 2), Ok(()));
        assert_eq!(queue.push("a", 3), Err(Full::OfOwn));
        assert_eq!(queue.push("b", 4), Ok(()));
        assert_eq!(queue.push("c", 5), Err(Full::OfAll));
        queue.retain(|item| *item != 1);
        assert_eq!(queue.push("c", 5), Ok(()));
        assert_eq!(queue.len(), 3);
    }

    proptest! {
        #[test]
        fn what_is_told_of_the_order_is_the_order(pushes in prop::collection::vec(0_u16..4, 0..60)) {
            let mut queue = FairQueue::new(60, 60);
            for (number, user) in pushes.iter().enumerate() {
                queue.push(*user, number).unwrap();
            }
            let mut told = Vec::new();
            queue.in_order(|number, ahead| told.push((*number, ahead)));
            let order = std::iter::from_fn(|| queue.pop()).zip(0..);
            prop_assert_eq!(told, order.collect::<Vec<_>>());
        }

        #[test]
        fn turns_are_fair_and_orders_are_kept(pushes in prop::collection::vec(0_u16..4, 0..60)) {
            let mut queue = FairQueue::new(60, 60);
            for (number, user) in pushes.iter().enumerate() {
                queue.push(*user, (*user, number)).unwrap();
            }
            let mut served: HashMap<u16, Vec<usize>> = HashMap::new();
            while let Some((user, number)) = queue.pop() {
                served.entry(user).or_default().push(number);
                // Whoever still waits has been served at most one time less than anybody else.
                let most = served.values().map(Vec::len).max().unwrap_or(0);
                for waiting in &queue.turns {
                    prop_assert!(served.get(waiting).map_or(0, Vec::len) + 1 >= most);
                }
            }
            for (user, numbers) in &served {
                prop_assert!(numbers.is_sorted());
                prop_assert_eq!(numbers.len(), pushes.iter().filter(|pushed| *pushed == user).count());
            }
            prop_assert!(queue.is_empty());
        }
    }
}
