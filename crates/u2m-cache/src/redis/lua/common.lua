-- KEYS[1] is the entry, KEYS[2] its lease. Every answer is a list of strings.
local function field(name) return redis.call('HGET', KEYS[1], name) or '' end
local function number(text) return tonumber(text) or 0 end

-- Microseconds of the server's own clock: whole numbers below 2^53, which Lua's numbers hold exactly.
local function micros()
  local time = redis.call('TIME')
  return number(time[1]) * 1000000 + number(time[2])
end

-- Larger than any before it, also where the server lost its data in between.
local function next_fence()
  return string.format('%.0f', math.max(number(field('fence')) + 1, micros()))
end
