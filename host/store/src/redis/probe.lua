-- Does on a key that no ticket has what the other scripts do, and leaves nothing.
-- The answer: the name and the error of each command that failed.
local failed = {}
local function try(command, ...)
  local answer = redis.pcall(command, key, ...)
  if type(answer) == 'table' and answer.err then
    failed[#failed + 1] = command
    failed[#failed + 1] = answer.err
  end
end

-- First, so that full memory shows; the two that follow each remove the key or end it soon.
try('HSET', 'probe', '1')
try('PEXPIREAT', number(now() + 1000))
for _, command in ipairs({ 'TYPE', 'PEXPIRETIME', 'HGETALL', 'HLEN', 'HKEYS' }) do try(command) end
try('HGET', 'probe')
try('HMGET', 'probe', 'none')
try('HSTRLEN', 'probe')
try('HDEL', 'probe')
try('DEL')
return failed
