-- Moves the deadline, if there is an entry, and only from the given revision where one is given.
-- ARGV: repeated, wanted deadline, slack, furthest deadline from now, revision (empty for whatever is there).
local wanted, slack, ahead_max = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local base = ARGV[5]
local kind = kind_of()
if kind == 'none' then return { 'refused' } end
if kind ~= 'hash' then return { 'type', kind } end
local expires = redis.call('PEXPIRETIME', key)
if base ~= '' and revision(expires) ~= base then return refused(kind, expires) end
local mistake, time = mistaken(wanted, ahead_max)
if mistake then return mistake end
wanted = deadline(wanted, slack, expires)
-- Before the change, so that a command that is forbidden here leaves nothing changed.
local state = revision(wanted)
redis.call('PEXPIREAT', key, number(wanted))
return { 'written', number(wanted), time, state }
