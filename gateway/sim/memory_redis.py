"""A Redis in this process, behind the very same client, scripts and keys.

What it lacks, the script that applies batches needs: `cmsgpack.unpack`. It is taught here, in Lua, for what `store` packs: lists of texts.
"""

from __future__ import annotations

from typing import Any, Final

from fakeredis import FakeAsyncRedis, FakeRedis, FakeServer

_CMSGPACK: Final = """
local byte = string.byte
local function number(packed, from, bytes)
  local sum = 0
  for at = from, from + bytes - 1 do sum = sum * 256 + byte(packed, at) end
  return sum
end
local long = {[0xd9] = 1, [0xda] = 2, [0xdb] = 4, [0xdc] = 2, [0xdd] = 4}
local function value(packed, at)
  local head = byte(packed, at)
  local bytes, size = long[head]
  if bytes then size = number(packed, at + 1, bytes)
  elseif head >= 0xa0 and head <= 0xbf then size = head - 0xa0
  elseif head >= 0x90 and head <= 0x9f then size = head - 0x90
  else error('neither a text nor a list: ' .. head) end
  local from = at + 1 + (bytes or 0)
  if head <= 0x9f or head >= 0xdc then
    local list = {}
    for place = 1, size do list[place], from = value(packed, from) end
    return list, from
  end
  return string.sub(packed, from, from + size - 1), from + size
end
local cmsgpack = {unpack = function(packed) return (value(packed, 1)) end}
setmetatable(_G, {__index = function(_, name) if name == 'cmsgpack' then return cmsgpack end end})
return 1
"""
"""A script may set no global; a name that is looked up in vain is another thing."""


class MemoryRedis:
    """One server, for as many clients as there are. It knows nothing of threads: all of them must be used in one."""

    def __init__(self) -> None:
        self._server = FakeServer()
        self.client: Any = FakeRedis(server=self._server)
        self.client.eval(_CMSGPACK, 0)

    def async_client(self) -> Any:
        """Return a further client, for an event loop."""
        return FakeAsyncRedis(server=self._server)
