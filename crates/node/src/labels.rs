//! The labels of the holds of an attachment. Its slot has room for the label of one read hold and
//! of one exclusive hold. Of several labels the latest is shown, of whatever library copy.

use std::collections::BTreeMap;

use process_rwlock::Attachment;

#[derive(Default)]
pub(crate) struct HoldLabels {
    last: u64,
    read: BTreeMap<u64, String>,
    exclusive: BTreeMap<u64, String>,
}

impl HoldLabels {
    /// Returns the number that `drop` takes.
    pub fn add(&mut self, attachment: &Attachment, of_read: bool, label: String) -> u64 {
        self.last += 1;
        attachment.set_hold_label(of_read, &label);
        let number = self.last;
        self.kind(of_read).insert(number, label);
        number
    }

    pub fn drop(&mut self, attachment: &Attachment, of_read: bool, number: u64) {
        let labels = self.kind(of_read);
        let was_shown = labels.last_key_value().is_some_and(|(&last, _)| last == number);
        labels.remove(&number);
        if was_shown {
            attachment.set_hold_label(of_read, labels.last_key_value().map_or("", |(_, label)| label));
        }
    }

    fn kind(&mut self, of_read: bool) -> &mut BTreeMap<u64, String> {
        if of_read { &mut self.read } else { &mut self.exclusive }
    }
}
