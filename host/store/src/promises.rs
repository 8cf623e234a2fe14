//! The promises of a store, written once: the table in the documentation of [`Store`](crate::Store) is this one.

/// Makes the constant and a macro for the same table in Markdown.
macro_rules! promises {
    ($($number:literal $sentence:literal)*) => {
        /// What every store guarantees: number and sentence, in order.
        pub const PROMISES: &[(&str, &str)] = &[$(($number, $sentence)),*];

        macro_rules! promises_table {
            () => {
                concat!(
                    "| promise | what every store guarantees |\n|---|---|\n",
                    $("| ", $number, " | ", $sentence, " |\n"),*
                )
            };
        }
        pub(crate) use promises_table;
    };
}

promises! {
    "P1" "A read returns what was written: the same names and the same texts, byte for byte, empty ones included."
    "P2" "A write leaves exactly the given fields, whatever the entry contained before."
    "P3" "A read after an applied change returns that change or a later one, in every handle and process."
    "P4" "Of concurrent writers with `Absent`, exactly one is applied."
    "P5" "`At(r)` is applied only if `r` is the current revision; of concurrent writers at one revision, exactly one is applied."
    "P6" "`Present` is applied to any existing entry, even to one that `read` calls corrupt, and never creates one."
    "P7" "A change that is not applied changes nothing and returns the current entry, or none."
    "P8" "Every applied write or touch of one TTL, up to a thousand a second, gets a revision that this incarnation of the entry never had before."
    "P9" "Revision and deadline of an outcome are those that the next read returns."
    "P10" "A write or touch sets the deadline to its TTL from now: at most a two-thousandth of the TTL earlier, or 250 ms later if writes follow quickly; the last writer's TTL counts."
    "P11" "Until its deadline an entry exists; after it, the entry is absent to `read`, to conditions and to `touch`."
    "P12" "Reading and listing change nothing, deadlines included."
    "P13" "Touch moves the deadline, keeps the fields, and does nothing if there is no entry."
    "P14" "Remove leaves nothing behind; the key can be created again."
    "P15" "A scan, page by page, returns every key that existed throughout; a cursor of another store or a damaged one is `Invalid` or harmless."
    "P16" "A page contains keys of the store's own namespace only; stores of different namespaces never see each other's entries."
    "P17" "A TTL outside 1 s to 366 days and an entry above the size limit are refused before anything is written."
    "P18" "An entry that is not text fields is `Corrupt`; the error names the key, and the entry stays as it is."
    "P19" "An error of kind `Unavailable`, `Denied`, `Invalid` or `TooLarge` means that nothing was written."
    "P20" "A change whose caller gives up during the call is made completely or not at all."
}
