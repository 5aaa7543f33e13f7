//! Pages that one message carries together: they are settled together, and each can leave before that,
//! because a newer page stands for it or it was given up by itself. One that is refused is taken apart.
//!
//! Which pages are bundled is decided at the pace of their receiver ([`crate::pace`]), what a bundle
//! says is in [`super::bundle`].

use ulid::Ulid;

use super::Quiet;
use super::book::Book;
use crate::Ms;
use crate::changes::{Bundle, Changes, Company, Hop, Page, Receiver, TrailEntry};
use crate::trail::{TrailCode, receiver};

impl Book {
    /// One message is to carry these pages to a webhook, as far as they are owed to it, may be in a
    /// bundle, and are in none yet. Of none of them there is no bundle.
    pub fn bundle(&mut self, (name, pages): (&str, &[Ulid]), at: Ms, out: &mut Changes) {
        let to = Receiver::Webhook(name.into());
        let free = pages.iter().filter(|id| !self.bundle_of.contains_key(*id));
        let owed = free.filter_map(|id| self.owed.get(id));
        let may = |page: &&Page| page.receiver == to && page.company == Company::Any;
        let members = self.worst_first(owed.filter(may));
        self.new_bundle((name, &members), at, None, out);
    }

    /// Its receiver refuses a bundle for what it says: each half of what it still owes is tried by
    /// itself, until a page that is refused stands alone, and is in no bundle any more.
    pub fn take_apart(&mut self, id: Ulid, at: Ms, out: &mut Changes) {
        let Some(members) = self.bundles.remove(&id) else { return };
        for page_id in &members {
            self.bundle_of.remove(page_id);
        }
        out.bundles_void.push((id, at));
        let members = self.worst_first(members.iter().filter_map(|id| self.owed.get(id)));
        let Some(Receiver::Webhook(name)) = members.first().map(|worst| worst.receiver.clone())
        else {
            return;
        };
        for part in members.chunks(members.len().div_ceil(2)) {
            match part {
                [page] => self.stands_alone(page.clone(), out),
                pages => self.new_bundle((&name, pages), at, Some(id), out),
            }
        }
    }

    fn worst_first<'a>(&self, pages: impl Iterator<Item = &'a Page>) -> Vec<Page> {
        let mut pages: Vec<Page> = pages.cloned().collect();
        // An exercise is not what stands for fires.
        pages.sort_by_key(|page| (page.urgency, self.is_quiet(page), page.number));
        pages.dedup_by_key(|page| page.page_id);
        pages
    }

    fn new_bundle(
        &mut self,
        (name, members): (&str, &[Page]),
        at: Ms,
        part_of: Option<Ulid>,
        out: &mut Changes,
    ) {
        let Some(worst) = members.first() else { return };
        let ids: Vec<Ulid> = members.iter().map(|page| page.page_id).collect();
        let bundle = Bundle {
            id: self.secret.bundle((name, &ids), at),
            receiver: name.into(),
            at,
            urgency: worst.urgency,
            number: worst.number,
            members: ids,
            part_of,
        };
        out.bundles.push(bundle.clone());
        self.bundled(bundle);
    }

    /// Its place in the queue is a new one, where its sender, which has read on, finds it.
    fn stands_alone(&mut self, mut page: Page, out: &mut Changes) {
        page.number = self.next_number(out);
        page.company = Company::Alone;
        out.unbundled.push(page.clone());
        self.owed.insert(page.page_id, page);
    }

    /// Takes a bundle that is owed.
    pub(super) fn bundled(&mut self, bundle: Bundle) {
        self.bundle_of.extend(bundle.members.iter().map(|page| (*page, bundle.id)));
        self.bundles.insert(bundle.id, bundle.members.into_iter().collect());
    }

    fn is_quiet(&self, page: &Page) -> bool {
        let incident = self.get(page.incident);
        let quiet = incident.and_then(|incident| incident.quiet());
        matches!(quiet, Some(Quiet::Test | Quiet::Exercise))
    }

    /// A page is owed no more. A bundle of which nothing is owed any more is no more, either.
    pub(super) fn leaves_its_bundle(&mut self, page_id: Ulid, at: Ms, out: &mut Changes) {
        let Some(id) = self.bundle_of.remove(&page_id) else { return };
        let Some(members) = self.bundles.get_mut(&id) else { return };
        members.remove(&page_id);
        if members.is_empty() {
            self.bundles.remove(&id);
            out.bundles_void.push((id, at));
        }
    }

    /// What became of a bundle is what became of its members; `None`: that id is no bundle's.
    pub(super) fn settle_bundle(
        &mut self,
        (id, hop): (Ulid, Hop),
        why: &str,
        at: Ms,
        out: &mut Changes,
    ) -> Option<()> {
        let members = self.bundles.remove(&id)?;
        for page_id in members {
            self.bundle_of.remove(&page_id);
            let Some(page) = self.owes_no_more(page_id) else { continue };
            if hop == Hop::Bundled {
                self.confirmed(page.incident, &page.receiver);
            }
            let by = receiver(&page.receiver);
            let code = bundled_code(&page, id, why);
            out.trail.push(TrailEntry::new(page.incident, (at, hop), &by, code));
        }
        Some(())
    }
}

/// A page that a bundle carried, for the trail; `why` it was given up.
fn bundled_code(page: &Page, bundle: Ulid, why: &str) -> TrailCode {
    let (step, repeat, to) = (page.step, page.repeat, page.receiver.clone());
    TrailCode::Bundled { step, repeat, to, bundle, why: why.into() }
}
