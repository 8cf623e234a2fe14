//! Help after the options: examples, exit codes, store URLs, forms of JSON.

pub(crate) const MAIN: &str = "\
Examples:
  ticket new --id order-17                     create a ticket
  ticket say order-17 'Where is my parcel?'    what the user said
  ticket learn order-17 '{\"parcel\":\"lost\"}'    what the agent learnt
  ticket show order-17                         all of it

`ticket --help` has more: exit codes, store URLs, the JSON that is printed.";

pub(crate) const MAIN_LONG: &str = "\
Examples:
  ticket new --id order-17 --facts '{\"name\":\"Mia\"}'
  ticket say order-17 'Where is my parcel?'
  ticket learn order-17 '{\"parcel\":\"lost\"}'
  ticket decide order-17 '{\"tool\":\"refund\",\"amount\":12.50}'
  ticket show order-17 --format json
  ticket snapshot order-17 > before.json
  ticket rollback order-17 before.json
  ticket close order-17

Stores:
  redis://[USER:PASSWORD@]HOST[:PORT][/DB]     Redis 7.0 or newer
  rediss://…                                   the same over TLS
  sqlite:PATH, sqlite:///ABSOLUTE/PATH         one file, which several processes may use
  memory:                                      memory of the process, to try things out
  Without one: tickets.db in $XDG_STATE_HOME/ticket or ~/.local/state/ticket.
  Other users of this machine can see a password in --store: put such a URL into TICKET_STORE.

When Redis is down:
  Changes are pending in a file of this user until a command reaches Redis; a warning on stderr says so.
  A ticket that only Redis has is unavailable (exit code 75). With `--fallback none` every command fails.
  The same holds for a wrong password, permission or database number; the warning says what to correct.

Output:
  JSON is one line on stdout; `ticket show --help` describes the object of a ticket. Tables are for people
  and may change. Errors and remarks go to stderr.

Exit codes:
   0  done
   1  conform: the store breaks a promise; workflow test: a case failed
   2  wrong usage or input; a limit is exceeded; a ticket of that id exists
   3  there is no such ticket: never created, expired or closed
   4  conflict: the ticket is not at the revision of --at, or other clients kept changing it;
      replay: a ticket of that id exists; import: a ticket is there with other content
  65  what is stored is not a ticket, or has a newer version
  70  internal error: a defect of this program
  75  the store is down, or it is uncertain whether the change was made
  76  a workflow failed, and nothing was written
  77  the store denies it

Environment:
  TICKET_STORE, TICKET_TTL, TICKET_NAMESPACE, TICKET_FALLBACK, TICKET_FORMAT, TICKET_HISTORY_MAX_ENTRIES,
  TICKET_HISTORY_MAX_BYTES, TICKET_WORKFLOWS
                  the options of these names, where they are not given; an empty one counts as unset
  TICKET_LOG      what to log to stderr, for example `warn` or `ticket_host=debug`; nothing unless set";

pub(crate) const NEW: &str = "\
Examples:
  ticket new
  ticket new --id order-17 --facts '{\"name\":\"Mia\"}'
  ID=$(ticket new --quiet)";

pub(crate) const SHOW: &str = "\
Examples:
  ticket show order-17
  ticket show order-17 --field facts
  ticket show order-17 --fact /address/city
  ticket show order-17 --last 3
  ticket show order-17 --format json | jq .revision";

pub(crate) const SHOW_LONG: &str = "\
Examples:
  ticket show order-17
  ticket show order-17 --field facts
  ticket show order-17 --fact /address/city
  ticket show order-17 --last 3
  ticket show order-17 --format json | jq .revision

The JSON of a ticket is an object on one line. The first six after `id` are the stored fields, byte for byte
but for line breaks:
  id             its id
  facts          object: what the agent has learnt
  history        array: what the user said, strings or objects
  last_decision  what the agent decided last, {} at first
  created_at     Unix seconds
  updated_at     Unix seconds of the last change
  version        of the schema, now 1
  revision       names this state; give it as --at to change only what you have seen
  expires_at_ms  Unix milliseconds after which the ticket is gone; 0 for never
A command that took messages back or dropped some adds
  retracted      array: the messages that were taken back, oldest first
  trimmed        how many of the oldest messages were dropped

Reading does not extend the TTL of a ticket.";

pub(crate) const LIST: &str = "\
A table has a row per ticket: id, messages, bytes, last update, deadline. The reason is shown for a ticket that cannot
be read. JSON is one array of ids, with --long of objects, which have `error` if the ticket cannot be read:
  {\"id\":…,\"messages\":…,\"bytes\":…,\"updated_at\":…,\"expires_at_ms\":…}
Both are sorted by id. A table and --long read every ticket; --quiet and the array of ids do not. --limit lists
tickets that the store names first, which are not the first by id.

Examples:
  ticket list
  ticket list order-
  ticket list --quiet | wc -l
  ticket list --long --format json | jq 'max_by(.updated_at)'";

pub(crate) const SAY: &str = "\
Examples:
  ticket say order-17 'Where is my parcel?'
  ticket say order-17 'Where is my parcel?' --create
  ticket say order-17 - < message.txt
  ticket say order-17 --json '{\"id\":\"m1\",\"text\":\"Where is my parcel?\"}'
  ticket say order-17 -- '--this begins with a dash'";

pub(crate) const LEARN: &str = "\
Examples:
  ticket learn order-17 '{\"name\":\"Mia\",\"address\":{\"city\":\"Austin\"}}'
  ticket learn order-17 '{\"name\":null}'
  ticket learn order-17 - < facts.json";

pub(crate) const DECIDE: &str = "\
Examples:
  ticket decide order-17 '{\"tool\":\"refund\",\"amount\":12.50}'
  ticket decide order-17 - < decision.json";

pub(crate) const APPLY: &str = "\
A change is an object with one key. All changes are one atomic write, in their order:
  {\"say\":JSON}  {\"learn\":{…}}  {\"decide\":JSON}
  {\"put\":{\"pointer\":\"/a/b\",\"value\":JSON,\"only_if_absent\":true}}
  {\"retract\":COUNT}  {\"trim\":{\"entries_max\":COUNT,\"bytes_max\":BYTES}}

Examples:
  echo '[{\"say\":\"Yes, please.\"},{\"learn\":{\"agreed\":true}},{\"decide\":{\"tool\":\"refund\"}}]' |
    ticket apply order-17 -
  ticket apply order-17 changes.jsonl --at \"$REVISION\"";

pub(crate) const PUT: &str = "\
The pointer is that of RFC 6901: /address/city, with ~1 for / and ~0 for ~ in a name. The object that gets the
member must exist, as for the operation `add` of a JSON Patch; arrays are replaced as a whole.

Examples:
  ticket put order-17 /address/city '\"Austin\"'
  ticket put order-17 /refund null
  ticket put order-17 /first_seen 1795700050 --only-if-absent";

pub(crate) const RETRACT: &str = "\
JSON has the messages as `retracted`. A retry after a command whose result is uncertain (exit code 75) may take back
more: give --at.

Examples:
  ticket retract order-17
  ticket retract order-17 2 --format json | jq .retracted";

pub(crate) const TRIM: &str = "\
JSON has the number of messages that were dropped as `trimmed`. To bound tickets with every change, set
--history-max-entries or --history-max-bytes.

Examples:
  ticket trim order-17 --entries 100
  ticket trim order-17 --bytes 65536";

pub(crate) const EXISTS: &str = "\
Nothing is printed. What is stored need not be a ticket: `ticket show` tells.

Example:
  if ticket exists order-17; then ticket touch order-17; fi";

pub(crate) const TOUCH: &str = "\
Example:
  ticket touch order-17 --ttl 2h";

pub(crate) const CLOSE: &str = "\
Example:
  ticket close order-17";

pub(crate) const SNAPSHOT: &str = "\
The snapshot is one line of JSON in both formats. It holds the whole ticket: protect it like the ticket. Its
SHA-256 shows damage; it does not prove who wrote it.

Example:
  ticket snapshot order-17 > before.json";

pub(crate) const ROLLBACK: &str = "\
All six fields become those of the snapshot. A snapshot of another ticket, or of an earlier ticket of the
same id, is invalid.

Examples:
  ticket rollback order-17 before.json
  ticket snapshot order-17 | ticket rollback order-17 -";

pub(crate) const RESTORE: &str = "\
Example:
  ticket restore before.json";

pub(crate) const DIFF: &str = "\
JSON is a JSON Patch (RFC 6902) on {\"facts\":…,\"history\":…,\"last_decision\":…}, with facts by their keys and values
as stored. A table shows with - what was there and with + what is. NO_COLOR=1 leaves colours out.

Examples:
  ticket snapshot order-17 >> order-17.jsonl
  ticket diff order-17 order-17.jsonl
  ticket diff order-17 order-17.jsonl:1 order-17.jsonl:3 --format json";

pub(crate) const HISTORY: &str = "\
A store keeps a ticket as it is now. What it was before, only snapshots tell: `ticket snapshot ID >> FILE` adds one.
JSON is a line for each snapshot and one for the ticket as it is now, with the JSON Patch that leads to it:
  {\"snapshot\":N|null,\"updated_at\":…,\"patch\":[…]}

Examples:
  ticket history order-17 order-17.jsonl";

pub(crate) const WATCH: &str = "\
It reads each ticket again at every interval, so changes in between are seen as one. A watch of all tickets reads
them all. JSON is one line for each event, with the ticket unless it is gone:
  {\"at_ms\":…,\"event\":\"created\"|\"changed\"|\"touched\"|\"gone\",\"id\":…,\"ticket\":{…}}
A ticket that was rolled back is changed; one that expired or was closed is gone.

Examples:
  ticket watch order-17
  ticket watch --interval 5s --format json | jq -r .id";

pub(crate) const REPLAY: &str = "\
Examples:
  ticket replay tests/data/shop-conversations.jsonl
  ticket replay messages.json --from anthropic
  ticket replay - --store memory: --format json < conversations.jsonl

`ticket replay --help` describes the transcripts and the effect of each message.";

pub(crate) const REPLAY_LONG: &str = "\
A transcript is a JSON object with an `id` and the messages as an API takes them. A file holds one object a
line, or JSON documents over several lines, each an object or an array of objects. UTF-8, or UTF-16 with a byte
order mark. Without an `id` the ticket gets one from the text and its line. The same conversation in each form:

  openai     {\"id\":\"a\",\"messages\":[{\"role\":\"user\",\"content\":\"Where is it?\"},
               {\"role\":\"assistant\",\"tool_calls\":[{\"id\":\"c1\",\"function\":{\"name\":\"track\",\"arguments\":\"{}\"}}]},
               {\"role\":\"tool\",\"tool_call_id\":\"c1\",\"content\":\"lost\"}]}
             the older `function_call` and the role `function` too
  responses  {\"id\":\"a\",\"input\":[{\"role\":\"user\",\"content\":\"Where is it?\"},
               {\"type\":\"function_call\",\"call_id\":\"c1\",\"name\":\"track\",\"arguments\":\"{}\"},
               {\"type\":\"function_call_output\",\"call_id\":\"c1\",\"output\":\"lost\"}]}
  anthropic  {\"id\":\"a\",\"messages\":[{\"role\":\"user\",\"content\":\"Where is it?\"},
               {\"role\":\"assistant\",\"content\":[{\"type\":\"tool_use\",\"id\":\"c1\",\"name\":\"track\",\"input\":{}}]},
               {\"role\":\"user\",\"content\":[{\"type\":\"tool_result\",\"tool_use_id\":\"c1\",\"content\":\"lost\"}]}]}
  langchain  {\"id\":\"a\",\"messages\":[{\"type\":\"human\",\"content\":\"Where is it?\"},
               {\"type\":\"ai\",\"content\":\"\",\"tool_calls\":[{\"id\":\"c1\",\"name\":\"track\",\"args\":{}}]},
               {\"type\":\"tool\",\"tool_call_id\":\"c1\",\"content\":\"lost\"}]}
             also with `data`, and as constructors with `kwargs`
  gemini     {\"id\":\"a\",\"contents\":[{\"role\":\"user\",\"parts\":[{\"text\":\"Where is it?\"}]},
               {\"role\":\"model\",\"parts\":[{\"functionCall\":{\"name\":\"track\",\"args\":{}}}]},
               {\"role\":\"user\",\"parts\":[{\"functionResponse\":{\"name\":\"track\",\"response\":{\"output\":\"lost\"}}}]}]}

Effect on the ticket:
  the user says something  it is said: a text as a string, other content as {\"role\":\"user\",\"content\":[…]}
  the agent calls tools    they are decided, as {\"tool\":NAME,\"arguments\":JSON}, after a snapshot; several calls of one
                           turn are one step; the agent's text is skipped
  a tool answers           the result is learnt under the tool's name in place of the last one: JSON if it is JSON
                           that a ticket takes, else a string. It is learnt by a merge patch, which removes
                           members that are null
  a tool fails             back to the snapshot before its turn, then everything since then again but what this
                           call did. A tool fails if the API says so (`is_error`, `status` error, `error` in a
                           response), if the first word of the result is `error` in any case, followed by a colon,
                           a blank or the end, or if the result matches --error-pattern. A result without a
                           call in the transcript does not fail: it is learnt
  system prompts           are skipped
  images and files         a payload in base64 is kept as {\"type\",\"media_type\",\"bytes\",\"sha256\"}, whole with
                           --keep-media

A conversation is checked before anything of it is written. One that fails later (a message is too long) leaves
the ticket as it was before. What has no effect and is not listed here is skipped, counted, and named at the end
(a result of an unknown call, a tool that the server of the API runs); --strict stops at it. A ticket of the same
id stops the replay (exit code 4) unless --replace.

Printed for every ticket: messages said, decisions made (those undone too), facts at the end, rollbacks, and a
SHA-256 over id, facts, history and last decision as stored, each after its length in bytes (64 bits, big
endian). The last line, {\"total\":…}, has the sums and a SHA-256 over all of these digests. Nothing of it depends
on the store, the time or the form: two stores that do the same print the same.

Examples:
  ticket replay tests/data/shop-conversations.jsonl
  ticket replay messages.json --from anthropic --error-pattern '^not found'
  ticket replay - --store memory: --format json < conversations.jsonl";

pub(crate) const EXPORT: &str = "\
One line for each ticket, sorted by id, and a total; SHA-256 over the digests of the snapshots. The snapshot brings
every field back byte for byte:
  {\"expires_at_ms\":…,\"snapshot\":{\"ticket_snapshot\":1,\"id\":…,\"fields\":[…],\"sha256\":…}}
  {\"total\":{\"tickets\":…,\"sha256\":…}}
Each ticket is as it was when it was read: an export is not of one point in time. An entry that cannot be read is
named on stderr, and the exit code is 65. It holds what users said: protect it like the tickets.

An export that was cut has no total. Remove its last line if that is incomplete, and continue with --after the last id.
While Redis is down nothing is exported, because this host may not know all tickets.

Examples:
  ticket export > tickets.jsonl
  ticket export --after order-17 >> tickets.jsonl
  ticket export --store sqlite:old.db | ticket import - --store redis://localhost";

pub(crate) const IMPORT: &str = "\
Tickets get the time that they have left, to a two-thousandth of it; those without a deadline get --ttl, and those
whose time is over are left out. A ticket that is in the store stays: with the same content it is unchanged, with other
content the exit code is 4 at the end, or --replace replaces it. An import that stopped can be run again from the
beginning. Each total of the file is checked; a file that ends without one ends with 2. The SHA-256 is over what is in
the store now, so it is that of the export if all of it is. Nothing goes to a fallback, unless --fallback names one.

JSON is one object:
  {\"total\":{\"tickets\":…,\"created\":…,\"unchanged\":…,\"replaced\":…,\"kept\":…,\"expired\":…,\"sha256\":…}}

Examples:
  ticket import tickets.jsonl --store redis://localhost
  gzip -cd tickets.jsonl.gz | ticket import - --replace";

pub(crate) const DOCTOR: &str = "\
Exit codes: 0 if the store keeps tickets as promised, also with warnings; 75 if it has a problem or is down;
77 if it is incompatible or, without a fallback, denies access; 65 if it is not a store of tickets.
JSON is one object:
  {\"store\":…,\"facts\":{NAME:TEXT,…},\"findings\":[{\"severity\":\"problem\"|\"warning\",\"text\":…}]}

Examples:
  ticket doctor
  ticket doctor --store redis://localhost";

pub(crate) const BRANCHES: &str = "\
While Redis is down, this host changes its own copies of tickets. When Redis is up, both sides are merged. A
state that does not fit into its ticket is kept as a branch for 30 days: the ticket was closed or created again
by another client, or the changes cannot be merged. A branch holds what users said: protect it like a ticket.

JSON is one array of {\"number\":…,\"id\":…,\"why\":…,\"at_ms\":…}; `show` adds the stored fields.

Examples:
  ticket branches list --store redis://localhost
  ticket branches show 3 --store redis://localhost
  ticket branches apply 3 --store redis://localhost";

pub(crate) const WORKFLOW: &str = "\
A workflow is a WebAssembly component for the world `agent:workflow/workflow`. It gets one ticket and nothing else:
no other ticket, no file, no network. What it records is written when it succeeds, and not at all otherwise.

Examples:
  ticket workflow new greeting --language rust
  ticket workflow test greeting
  ticket workflow add greeting
  ticket workflow run mia greeting --dry-run";

pub(crate) const WORKFLOW_RUN: &str = "\
JSON is {\"ticket\":…,\"output\":…,\"closed\":…,\"dry_run\":…,\"patch\":[…],\"log\":[…],…}; `patch` is a JSON Patch.

Examples:
  ticket workflow run mia refund --dry-run
  ticket workflow run mia refund --input '{\"cabin\":\"business\",\"booked_hours_ago\":90,\"insured\":false}'
  ticket workflow run mia ./theirs.wasm --grant log,wasi-stubs";

pub(crate) const WORKFLOW_ADD: &str = "\
What a workflow may do is what its manifest asks for, what it is granted, and what operator.toml in the folder of
the registry leaves: the ceiling of all limits, and the tools that there are. Grants are those of this component:
another build of it is granted nothing until it is added with `--grant` again.

Examples:
  ticket workflow add greeting
  ticket workflow add refund --grant log,clock,tool:look-up --limit time_ms=100";

pub(crate) const WORKFLOW_TEST: &str = "\
A case is a line of JSON: {\"name\":…, \"ticket\":{\"facts\":…,\"history\":[…],\"last_decision\":…}, \"input\":…,
\"output\":…, \"after\":{\"facts\":…,\"history\":…,\"last_decision\":…}, \"closes\":false, \"failure\":CODE,
\"clock_ms\":0, \"tools\":[{\"name\":…,\"input\":…,\"answer\":…}]}. Only the name is required; what is not said is
not compared. Exit code 1 tells that a case failed.

Examples:
  ticket workflow test greeting";

pub(crate) const COMPLETIONS: &str = "\
Examples:
  ticket completions bash > ~/.local/share/bash-completion/completions/ticket
  ticket completions fish > ~/.config/fish/completions/ticket.fish";

pub(crate) const CONFORM: &str = "\
It takes some seconds. The check does not wait for deadlines: it moves them forward. If it is interrupted,
entries in namespaces that begin with conform- may stay in the store.

Examples:
  ticket conform --store redis://127.0.0.1/
  ticket conform --store sqlite:tickets.db --only P1,P2,E10 --random 0
  ticket conform --store memory: --scenario tests/scenarios/expiry.jsonl";
