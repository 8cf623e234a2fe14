-- Reads an entry.
local kind = kind_of()
if kind == 'none' then return { 'none' } end
if kind ~= 'hash' then return { 'type', kind } end
return entry('entry', redis.call('PEXPIRETIME', key))
