-- Moves the deadline, if there is an entry. ARGV: repeated, wanted deadline, slack, furthest deadline from now.
local wanted, slack, ahead_max = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local kind = kind_of()
if kind == 'none' then return { 'refused' } end
if kind ~= 'hash' then return { 'type', kind } end
local mistake, time = mistaken(wanted, ahead_max)
if mistake then return mistake end
wanted = deadline(wanted, slack, redis.call('PEXPIRETIME', key))
-- Before the change, so that a command that is forbidden here leaves nothing changed.
local state = revision(wanted)
redis.call('PEXPIREAT', key, number(wanted))
return { 'written', number(wanted), time, state }
