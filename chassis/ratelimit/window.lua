-- Counts a request if fewer than ARGV[1] were counted in the last ARGV[2] microseconds.
-- KEYS[1] is a sorted set of the requests that were counted, by their times in microseconds.
-- It gives: 1 if the request is counted, else 0; how many more may come now; the microseconds until all may come again; and those
-- until a refused one may come, else 0.
local limit, window = tonumber(ARGV[1]), tonumber(ARGV[2])
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local key = KEYS[1]

redis.call('ZREMRANGEBYSCORE', key, '-inf', string.format('%.0f', now - window))
-- Times to come are from before the clock was set back; whoever they belong to shall not wait for them.
redis.call('ZREMRANGEBYSCORE', key, string.format('(%.0f', now), '+inf')
local count = redis.call('ZCARD', key)

local allowed, retry = 0, 0
if count < limit then
  -- The count tells apart what comes in the same microsecond.
  redis.call('ZADD', key, string.format('%.0f', now), string.format('%.0f-%d', now, count))
  redis.call('PEXPIRE', key, math.ceil(window / 1000))
  allowed, count = 1, count + 1
else
  -- More than the limit are there after it was lowered.
  local first = redis.call('ZRANGE', key, count - limit, count - limit, 'WITHSCORES')
  retry = first[2] + window - now
end
local last = redis.call('ZRANGE', key, -1, -1, 'WITHSCORES')
return {allowed, math.max(limit - count, 0), last[2] + window - now, retry}
