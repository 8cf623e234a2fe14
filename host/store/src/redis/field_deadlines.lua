-- Deadlines of single fields, which Redis has since 7.4 and Valkey since 9.0. Another client may set one (HEXPIRE), and
-- the field would end before the entry, which is damaged then.
local function has_field_deadlines()
  local valkey = redis.VALKEY_VERSION_NUM
  if valkey then return valkey >= 0x90000 end
  return redis.REDIS_VERSION_NUM >= 0x70400
end

-- Ends the deadlines of the fields with these names.
local function end_field_deadlines(key, names, first, last)
  -- Lua's stack has room for some 8,000 values.
  for from = first, last, 2000 do
    local to = math.min(from + 1999, last)
    local ended = redis.pcall('HPERSIST', key, 'FIELDS', to - from + 1, unpack(names, from, to))
    -- Without the permission for HPERSIST: a HSET ends the deadline of its field too.
    for i = from, ended.err and to or 0 do
      local text = redis.call('HGET', key, names[i])
      if text then redis.pcall('HSET', key, names[i], text) end
    end
  end
end

