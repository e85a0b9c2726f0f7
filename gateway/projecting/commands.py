"""What a batch tells Redis to do: its own commands, and some that the script which applies batches adds to them."""

from __future__ import annotations

from typing import Any, Final, TypeAlias

Command: TypeAlias = tuple[Any, ...]
"""A name and its arguments: bytes, texts and integers."""

PRUNE: Final = "PRUNE"
"""PRUNE list length hash...: cut a list, and delete what is cut off from hashes, too."""
FIRST: Final = "FIRST"
"""FIRST hash list field value: set a field that is not there, and put its name at the head of a list."""
COUNT: Final = "COUNT"
"""COUNT hash list field value counter: do as FIRST does, and count what was put there; an empty name of a counter: count nothing."""
MARK: Final = "MARK"
"""MARK hash field holder...: set a field to 1 if one of the other hashes has it."""
KEEP: Final = "KEEP"
"""KEEP set length score row: put a ranked row into a sorted set, unless the one with its score outranks it, and cut the set to its greatest."""
SWAP: Final = "SWAP"
"""SWAP hash length field row: put a ranked row into a hash, unless its field outranks it, or is new and the hash is full."""

SCRIPT: Final = f"""
local function holds(row, old)
  local new, known = string.match(row, '^%[%[([%d,]*)%]'), string.match(old, '^%[%[([%d,]*)%]')
  if new == known then return true end
  local others = string.gmatch(known, '%d+')
  for one in string.gmatch(new, '%d+') do
    local other = others()
    if other == nil then return true end
    if one ~= other then return tonumber(one) > tonumber(other) end
  end
  return true
end
local own = {{}}
own['{PRUNE}'] = function(list, length, ...)
  local cut = redis.call('LLEN', list) - length
  while cut > 0 do
    local gone = redis.call('RPOP', list, math.min(cut, 1000))
    for _, hash in ipairs({{...}}) do redis.call('HDEL', hash, unpack(gone)) end
    cut = cut - #gone
  end
end
own['{FIRST}'] = function(hash, list, field, value)
  if redis.call('HSETNX', hash, field, value) == 1 then
    redis.call('LPUSH', list, field)
    return true
  end
end
own['{COUNT}'] = function(hash, list, field, value, counter)
  if own['{FIRST}'](hash, list, field, value) and counter ~= '' then redis.call('INCR', counter) end
end
own['{MARK}'] = function(hash, field, ...)
  for _, holder in ipairs({{...}}) do
    if redis.call('HEXISTS', holder, field) == 1 then redis.call('HSET', hash, field, 1) end
  end
end
own['{KEEP}'] = function(set, length, score, row)
  local old = redis.call('ZRANGEBYSCORE', set, score, score)[1]
  if old == row or (old and not holds(row, old)) then return end
  if old then redis.call('ZREM', set, old) end
  redis.call('ZADD', set, score, row)
  if not old then redis.call('ZREMRANGEBYRANK', set, 0, -length - 1) end
end
own['{SWAP}'] = function(hash, length, field, row)
  local old = redis.call('HGET', hash, field)
  if (old and holds(row, old)) or (not old and redis.call('HLEN', hash) < tonumber(length)) then
    redis.call('HSET', hash, field, row)
  end
end
local function apply(commands)
  for _, command in ipairs(commands) do
    local act = own[command[1]]
    if act then act(unpack(command, 2)) else redis.call(unpack(command)) end
  end
end
"""
"""Lua that defines `apply`, which carries out a batch's commands."""
