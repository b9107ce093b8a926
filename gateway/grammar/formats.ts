// Values of `format` that a grammar enforces, as expressions: each takes a part of what RFC 3339, 5321, 4122 … allow, and nothing else.

const octet = '(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])'
const ipv4 = `${octet}(\\.${octet}){3}`
const leapYears = '([0-9]{2}(0[48]|[2468][048]|[13579][26])|([2468][048]|0[48]|[13579][26])00)'
const date = `([0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])|[0-9]{4}-(0[13-9]|1[0-2])-(29|30)|[0-9]{4}-(0[13578]|1[02])-31|${leapYears}-02-29)`
const time = '([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\\.[0-9]{1,9})?(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])'
const label = '[A-Za-z0-9]([A-Za-z0-9-]{0,30}[A-Za-z0-9])?'
const hostname = `${label}(\\.${label}){0,5}`
const group = '[0-9a-fA-F]{1,4}'

/** by format: an expression that is held to both ends */
export const formats: Readonly<Record<string, string>> = {
  date,
  time,
  'date-time': `${date}T${time}`,
  duration:
    'P([0-9]{1,9}W|[0-9]{1,9}Y([0-9]{1,2}M)?([0-9]{1,2}D)?(T[0-9]{1,9}H([0-9]{1,2}M)?([0-9]{1,2}S)?)?|[0-9]{1,9}M([0-9]{1,2}D)?|[0-9]{1,9}D(T[0-9]{1,9}H([0-9]{1,2}M)?)?|T([0-9]{1,9}H([0-9]{1,2}M([0-9]{1,2}S)?)?|[0-9]{1,9}M([0-9]{1,2}S)?|[0-9]{1,9}S))',
  email: `[A-Za-z0-9!#$%&'*+/=?^_\`{|}~-]{1,32}(\\.[A-Za-z0-9_+-]{1,16}){0,1}@[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?(\\.[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?){1,4}`,
  hostname,
  ipv4,
  ipv6: `(${group}(:${group}){7}|${group}(:${group}){0,2}::(${group}(:${group}){0,2})?|::(${group}(:${group}){0,5})?)`,
  uuid: '[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}',
  uri: `(https?|ftp)://${hostname}(:[1-9][0-9]{0,3})?(/[A-Za-z0-9._~!$&'()*+,;=:@-]*)*(\\?[A-Za-z0-9._~!$&'()*+,;=:@/?-]*)?(#[A-Za-z0-9._~!$&'()*+,;=:@/?-]*)?`
}
