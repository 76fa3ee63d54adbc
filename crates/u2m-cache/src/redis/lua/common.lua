-- KEYS[1] is an entry or a refresh token, KEYS[2] an entry's lease. Every answer is a list of strings. The last argument
-- names the part.
local parts = {}
local function field(name) return redis.call('HGET', KEYS[1], name) or '' end
local function number(text) return tonumber(text) or 0 end
local function whole(value) return string.format('%.0f', value) end

-- Microseconds of the server's own clock: whole numbers below 2^53, which Lua's numbers hold exactly.
local function micros()
  local time = redis.call('TIME')
  return number(time[1]) * 1000000 + number(time[2])
end

-- Larger than any before it, also where the server lost its data in between.
local function next_fence() return whole(math.max(number(field('fence')) + 1, micros())) end

-- The milliseconds that are left of so many microseconds.
local function left(time) return whole(math.max(math.ceil(time / 1000), 1)) end

local function is_at(generation, grant)
  return number(field('generation')) == number(generation) and field('grant') == grant
end

-- By how much the clock of a writer is ahead of the server's.
local function ahead(clock) return whole(number(clock) - micros()) end

-- What is known of an entry, behind the words of an answer.
local function reading(answer)
  for _, name in ipairs({'generation', 'grant', 'session', 'verdict', 'started', 'ahead'}) do
    answer[#answer + 1] = field(name)
  end
  answer[#answer + 1] = whole(micros())
  return answer
end

