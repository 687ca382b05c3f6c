#!/bin/sh
# Padlock's collector: what this machine says of its own nginx, certificates, certbot, firewall, upstreams and logs.
#
# It reads and changes nothing. It runs under dash, busybox sh and bash with the tools of a Debian, Ubuntu or Amazon
# Linux base, prints one JSON document in ASCII, and never prints a private key. Best run as root. See --help.
#
# Three tools write by themselves. certbot gets its logs and locks in a private directory below /tmp, which goes at the
# end. ufw gets a /run of its own for its lock. `nginx -T` makes an empty pid file where nginx does not run, which is
# removed again. What stays: as every `nginx -t`, it makes what is configured and missing of log files and of the
# directories for bodies and caches (/var/lib/nginx/body, proxy, fastcgi and so on; empty, the worker's own).

usage() {
  cat <<'END'
usage: sh collect.sh [--dry-run] [--full] [--compress]

  --dry-run   also run `certbot renew --dry-run`, which asks the certificate authority (up to 90 s) and, as any run of
              certbot, writes its log
  --full      up to 4 MB, plain; otherwise at most 24,000 characters, compressed and cut where needed
  --compress  compressed in any case
  --help      this

Prints one JSON document. Changes nothing on this machine. Best as root: sudo sh collect.sh --full >host.json
END
}

LC_ALL=C
PATH=${PATH:-/usr/bin:/bin}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/snap/bin:/opt/certbot/bin
PATH=$PATH:/opt/eff.org/certbot/venv/bin:/usr/local/nginx/sbin:/usr/local/openresty/nginx/sbin
PYTHONDONTWRITEBYTECODE=1
export LC_ALL PATH PYTHONDONTWRITEBYTECODE
umask 077
unset CDPATH GREP_OPTIONS
IFS=' 	
'
TAB='	'
UNIT=$(printf '\037')  # separates fields inside the script: unlike a tab, `read` keeps empty fields between them
BUDGET=700             # of all sections, in hundredths of a second; after it a tool may need two seconds more to end
LIMIT=23000            # characters of the document: Systems Manager keeps 24,000
FULL_LIMIT=4000000     # with --full
CERTBOT='certbot|letsencrypt-auto|bin/letsencrypt|letsencrypt renew'
SECTION_OCTETS=400000

# --- time -----------------------------------------------------------------------------------------------------------

# $ticks: hundredths of a second since boot.
look_at_clock() {
  read -r ticks _ </proc/uptime
  ticks=${ticks%.*}${ticks#*.}
  while [ "${ticks#0}" != "$ticks" ] && [ "${#ticks}" -gt 1 ]; do ticks=${ticks#0}; done
}

# Whether there is time left; $left: seconds of it, rounded up.
in_time() {
  look_at_clock
  left=$(((deadline - ticks + 99) / 100))
  [ "$left" -gt 0 ]
}

# SECONDS COMMAND...: its status; 124: its time ran out; 127: there is no such command.
limited() {
  command -v "$2" >/dev/null 2>&1 || return 127
  in_time || return 124
  allowed=$1
  [ "$allowed" -lt "$left" ] || allowed=$left
  shift
  if command -v timeout >/dev/null 2>&1; then
    timeout -k 1 "$allowed" "$@"
    status=$?
    [ $status -eq 137 ] && return 124
    return $status
  fi
  watched "$allowed" "$@"
}

# The same without timeout(1). A shell gives /dev/null to what it puts in the background, hence descriptor 3.
watched() {
  allowed=$1
  shift
  {
    "$@" <&3 3<&- &
    child=$!
    (
      while [ "$allowed" -gt 0 ]; do
        sleep 1
        kill -0 $child || exit
        allowed=$((allowed - 1))
      done
      kill $child
      sleep 1
      # shellcheck disable=SC2046 # several numbers
      kill -9 $child $(awk -v parent=$child '{ pid = $1; sub(/.*\) /, ""); if ($2 == parent) print pid }' /proc/[0-9]*/stat)
    ) >/dev/null 2>&1 3<&- &
    wait $child
    status=$?
  } 3<&0
  case $status in 137 | 143) return 124 ;; esac
  return $status
}

# --- text -----------------------------------------------------------------------------------------------------------

# Octets -> the inside of a JSON string, in ASCII: an octet that does not print becomes one \u00XX.
encode() {
  tr -d '\000' | od -An -v -tu1 | awk '
    BEGIN {
      for (i = 1; i < 256; i++) code[i] = i < 32 || i > 126 ? sprintf("\\u%04x", i) : sprintf("%c", i)
      code[9] = "\\t"; code[10] = "\\n"; code[34] = "\\\""; code[92] = "\\\\"
    }
    { line = ""; for (i = 1; i <= NF; i++) line = line code[$i + 0]; printf "%s", line }'
}

# What a section wrote, its last line being its status: without private keys, and within its size. After it comes a
# line of the status and of whether it was cut.
guard() {
  tr -d '\000' | awk -v most="$1" '
    function put(line) {
      if (line ~ /-----BEGIN [A-Z0-9 ]*PRIVATE KEY/) { key = line !~ /-----END/; line = "(private key)" }
      else if (key) { if (line ~ /-----END/) key = 0; return }
      size += length(line) + 1
      if (size > most) { cut = 1; return }
      printf "%s%s", between, line
      between = "\n"
    }
    NR > 1 { put(last) }
    { last = $0 }
    END {
      if (substr(last, 1, 1) == "\001") status = substr(last, 2)
      else { put(last); status = 124 }
      printf "\n%s %s", status, cut ? "true" : "false"
    }'
}

# NAME COMMAND SECONDS FUNCTION...: run it, and add what it wrote to the document. A process that a tool leaves behind
# may hold the pipe open: `cat` waits no longer than the section may take. Its braces are for bash, which closes standard
# input in the background of a function that is itself a part of a pipe, where it reads the script from there.
section() {
  name=$1 shown=$2 seconds=$3
  shift 3
  look_at_clock
  began=$ticks
  out=$({
    ("$@") 2>&1
    printf '\n\001%s' $?
  } </dev/null | { limited $((seconds + 1)) cat; } | guard $SECTION_OCTETS | encode)
  look_at_clock
  spent=$((ticks - began))
  facts=${out##*\\n}
  case $out in *\\n*) out=${out%\\n*} ;; *) out='' ;; esac
  entry="{\"name\":\"$name\",\"command\":\"$(printf '%s' "$shown" | encode)\",\"status\":${facts% *}"
  entry="$entry,\"seconds\":$((spent / 100)).$(printf %02d $((spent % 100))),\"cut\":${facts#* },\"output\":\"$out\"}"
  sections="$sections$entry
"
}

# TEXT -> a field of a line: tab, newline and backslash as \t, \n and \\.
field() {
  case $1 in
  *\\* | *"$TAB"* | *"
"*) printf '%sx' "$1" | awk '
      { gsub(/\\/, "&&"); gsub(/\t/, "\\t"); line = line (NR > 1 ? "\\n" : "") $0 }
      END { printf "%s", substr(line, 1, length(line) - 1) }' ;;
  *) printf '%s' "$1" ;;
  esac
}

# FIELD -> $text, the octets that it stands for.
unfield() {
  text=$(printf '%bx' "$1")
  text=${text%x}
}

# Credentials of log lines, cron entries and hooks -> ***.
hide() {
  name='[a-z0-9_-]*(authorization|passw|secret|token|(api|access|application|consumer|hmac)[_-]?key|session[_-]?id'
  name="$name|dns_[a-z0-9_]+_key|x-auth|x-[a-z-]*signature)[a-z0-9_-]*"
  user='(^|[^A-Za-z0-9_-])(-[A-Za-z]*[uU]|--(proxy-)?user)'
  sed -E -e 's/\?[^ "]+/?***/g' -e 's#(://)[^/@ "]*@#\1***@#g' \
    -e 's/\b(basic|bearer|digest|negotiate)( +)[A-Za-z0-9+\/=._~-]{6,}/\1\2***/Ig' \
    -e 's/\b((set-)?cookie["'\'']?[=:] *["'\'']?)[^"]*/\1***/Ig' \
    -e "s/(${name}[\"']? *[=:,] *[\"']?)[^] \"',;&)}]+/\1***/Ig" -e "s/(--${name} +)[^ ]+/\1***/Ig" \
    -e "s/(${user}[ =]*)([\"'])[^\"':]*:[^\"']*\5/\1\5***\5/g" \
    -e "s/(${user}[] =,\"'\\]*)[^] \"':\\]+:[^] \"'\\]*/\1***/g" \
    -e "s/((--cookie|-b)[ =]+\\\\?[\"']?)[^ \"'=]+=[^\"']*/\1***/g" -e 's/(sshpass +-p *)[^ ]+/\1***/g' \
    -e 's/"(protected|payload|signature)": "[^"]*"/"\1": "***"/' -e 's/eyJ[A-Za-z0-9_-]{8,}[A-Za-z0-9._-]*/***/g' |
    hide_lines_of_keys
}

# A line of a key that somebody pasted where none belongs, and that a tool quotes in its complaint.
hide_lines_of_keys() { sed -E 's/[A-Za-z0-9+\/]{50,}=*/***/g'; }

# nginx's complaints, which may quote what stands in the configuration: a word that is masked there is masked here.
hide_complaint() {
  secrets=$(known_of secret) awk '
    BEGIN { n = split(ENVIRON["secrets"], secret, "\n"); for (i = 1; i <= n; i++) sub(/\037.*/, "", secret[i]) }
    # LINE, WORD -> the line without it; SIDE: what stands on both sides of the word.
    function without(line, word, side, at, kept) {
      word = side word side
      while (at = index(line, word)) {
        kept = kept substr(line, 1, at - 1) side "***" side
        line = substr(line, at + length(word))
      }
      return kept line
    }
    {
      for (i = 1; i <= n; i++) if (secret[i] != "") {
        $0 = without($0, secret[i], "\"")
        # Words of letters alone are those of the complaint, too.
        if (length(secret[i]) > 7 && secret[i] !~ /^[a-z_]+$/) $0 = without($0, secret[i], "")
      }
      print
    }' | sed -E -e 's#(://|["( ])[^/@:" ]+:[^/@" ]*@#\1***@#g' -e 's#(://)[^/@" ]+@#\1***@#g' \
    -e 's/((authorization|passw|secret|token|key|signature)[a-z0-9_-]*=)[^" &]+/\1***/Ig' \
    -e 's/(unknown directive ")[A-Za-z0-9+\/=._-]*[0-9][A-Za-z0-9+\/=._-]{3,}"/\1***"/' \
    -e 's/"[A-Za-z0-9+][A-Za-z0-9+\/]{49,}=*"/"***"/g'
}

# The same for nginx's own logs: what is quoted there is what a visitor sent, and may hold blanks.
hide_visits() { sed -E -e 's/\?[^"]*( HTTP\/[0-9.]+")/?***\1/g' -e 's/("[^" ]*)\?[^"]*"/\1?***"/g' | hide; }

# --- nginx ----------------------------------------------------------------------------------------------------------

# The configuration's text -> mask: with secrets as *** and without comments, line for line; facts: what stands in it, as
# lines of a kind and two fields with \037 between them.
nginx_words() {
  awk -v mode="$1" '
    function esc(s, i, c, o) {
      if (s !~ /[\\\t\n]/) return s
      for (i = 1; i <= length(s); i++) {
        c = substr(s, i, 1)
        o = o (c == "\\" ? "\\\\" : c == "\t" ? "\\t" : c == "\n" ? "\\n" : c)
      }
      return o
    }
    function plain(s, i, c, d, o) {
      if (index(s, "\\") == 0) return s
      for (i = 1; i <= length(s); i++) {
        c = substr(s, i, 1); d = substr(s, i + 1, 1)
        if (c == "\\" && d ~ /["\047\\]/) { o = o d; i++ }
        else if (c == "\\" && d == "t") { o = o "\t"; i++ }
        else if (c == "\\" && d == "n") { o = o "\n"; i++ }
        else o = o c
      }
      return o
    }
    function fact(kind, a, b) {
      if (mode == "facts" && seen[kind, a, b]++ == 0) printf "%s\037%s\037%s\n", kind, esc(a), esc(b)
    }
    function secret(w) {
      w = tolower(w)
      return w ~ /authorization|passw|secret|token|(api|access)[-_]?key|auth_basic_user|credential|hmac|secure_link_md5/ ||
        w ~ /cookie|signature|sig$|session[-_]?id|x[-_]auth|\$\{?arg_|http_[a-z0-9_]*(auth|sign|key|session)/
    }
    # What else goes to the app by a header of a fixed value is nobody but its own affair.
    function ordinary(header) {
      return tolower(header) ~ /^(host|connection|upgrade|forwarded|front-end-https|early-data|range|date|via|te)$/ ||
        tolower(header) ~ /^(accept|content|if|sec|x-forwarded|x-original|x-request|x-real|x-scheme|x-url-scheme)(-|$)/
    }
    # TEXT, PATTERN, END -> the text with *** for what comes after END in each match.
    function starred(text, pattern, end, kept, w) {
      while (match(text, pattern)) {
        w = substr(text, RSTART, RLENGTH)
        kept = kept substr(text, 1, RSTART - 1)
        text = substr(text, RSTART + RLENGTH)
        match(w, end)
        kept = kept substr(w, 1, RSTART + RLENGTH - 1) "***"
        if (w ~ /@$/) kept = kept "@"
      }
      return kept text
    }
    # Directives of which no word is a secret, whatever it is called: a host may well be token.example.com.
    function safe(name) {
      return name ~ /^(server_name|server_tokens|listen|location|upstream|server|include|root|alias|return|rewrite)$/ ||
        name ~ /^(try_files|error_page|log_format|(access|error)_log|(proxy_)?ssl_.*|auth_basic)$/ ||
        name ~ /^(proxy|fastcgi|uwsgi|scgi|grpc)_(pass|(pass|hide)_header|ignore_headers|cookie_(path|domain|flags))$/
    }
    function word_done(w) {
      word[++words] = w
      if (hiding) { sub(/\)$/, "", w); if (length(w) > 3 && w !~ /^\$[A-Za-z0-9_]+$/) fact("secret", w) }
      else if (!safe(word[1]) && secret(w)) hiding = 1
      else if (words == 2 && word[1] ~ /^(proxy|grpc)_set_header$/ && !ordinary(w)) hiding = 1
      else if (words == 2 && word[1] == "set" && tolower(w) ~ /key|sig|auth|session|pin$|dsn$/) hiding = 1
    }
    function veil(text, w, kept) {
      if (!hiding) {
        if (secret(text) && text ~ /=/ && !safe(word[1])) return substr(text, 1, index(text, "=")) "***"
        if (text ~ /@/) {
          text = starred(text, ":\/\/[^/@ \"]+@", ":\/\/")
          text = starred(text, "^[^/@: \"]+:[^/@ \"]+@", "^")
        }
        text = starred(text, "[?&][^=&?]*([Kk]ey|[Tt]oken|[Ss]ecret|[Pp]assw|[Ss]ig)[^=&?]*=[^&]*", "=")
        if (word[1] == "return" || text ~ /[ ,;{]|^[a-z_]+=/) text = starred(text, private, "([=:] *[\"\047]?)")
        return text
      }
      if (text == "") return text
      if (text ~ /^(\$[A-Za-z0-9_]+\)?|\)|=|!=|!?~\*?)$/) return text
      return text ~ /\)$/ ? "***)" : "***"
    }
    BEGIN {
      private = "([Pp]assw|PASSW|[Ss]ecret|SECRET|[Tt]oken|TOKEN|[Kk]ey|KEY|[Ss]ignature)[A-Za-z0-9_-]*"
      private = private "(=|[\"\047] *: *|: +)[\"\047]?[^\"\047 ,;&}*]+"
    }
    function pairs(d, i, j) {
      if (certs[d] == keys[d]) for (i = 1; i <= certs[d]; i++) fact("pair", cert[d, i], key[d, i])
      else if (certs[d] && keys[d])
        for (i = 1; i <= certs[d]; i++) for (j = 1; j <= keys[d]; j++) fact("pair", cert[d, i], key[d, j])
      else {
        for (i = 1; i <= certs[d]; i++) lone_cert[++lone_certs] = cert[d, i]
        for (i = 1; i <= keys[d]; i++) lone_key[++lone_keys] = key[d, i]
      }
      certs[d] = keys[d] = 0
    }
    function target(w, scheme) {
      if (match(w, /^[a-z]+:\/\//)) { scheme = substr(w, 1, RLENGTH - 3); w = substr(w, RLENGTH + 1) }
      if (w !~ /^unix:/) { sub(/[\/?].*/, "", w); sub(/^.*@/, "", w) }
      else if (scheme != "") { w = substr(w, 6); sub(/:.*/, "", w); w = "unix:" w }
      if (w == "" || index(w, "$")) return
      if (w !~ /^unix:/ && w !~ /:[0-9]+$/) bare[w] = (scheme == "https" || scheme == "grpcs") ? 443 : 80
      aim[++aims] = w
    }
    function directive(opens, i, n) {
      n = word[1]
      if (n == "ssl_certificate" && words == 2) cert[depth, ++certs[depth]] = word[2]
      if (n == "ssl_certificate_key" && words == 2) key[depth, ++keys[depth]] = word[2]
      if (n == "error_log" || n == "access_log") fact("log", substr(n, 1, index(n, "_") - 1), word[2])
      if (n == "user") fact("user", word[2], "")
      if (n == "pid") fact("pid", word[2], "")
      if (n == "upstream" && opens) upstreams[word[2]] = 1
      if (n == "server" && !opens && words > 1) target(word[2])
      if (n ~ /^(proxy|fastcgi|uwsgi|scgi|grpc)_pass$/ && words == 2) target(word[2])
      if (opens) {
        depth++
        veiling[depth] = veiling[depth - 1] || (hiding && n ~ /^(map|geo)$/)
        types = n == "types"
        if (n ~ /_by_lua_block$/) lua = 1
      }
      words = 0; hiding = veiling[depth]
    }
    # Nothing is judged by the media types, which are long.
    function emit(s) { if (mode == "mask" && !types) out = out s }
    # A dump lists each file apart, wherever it is included: what it leaves open is its own affair.
    /^# configuration file .*:$/ && !open {
      for (; depth > 0; depth--) pairs(depth)
      pairs(0); words = 0; hiding = 0; lua = 0; types = 0
      file = substr($0, 22, length($0) - 22)
      if (mode == "mask") print
      else fact("file", file, "")
      next
    }
    # Lua is a program, not a configuration: only its end is looked for.
    lua {
      line = $0
      lua += gsub(/\{/, "", line) - gsub(/\}/, "", line)
      if (lua <= 0) { depth--; hiding = veiling[depth]; lua = 0 }
      if (mode == "mask") print lua ? "" : "}"
      next
    }
    {
      rest = $0; out = ""
      while (rest != "") {
        if (open) {
          closed = open == "\"" ? match(rest, /^([^"\\]|\\.)*"/) : match(rest, /^([^\047\\]|\\.)*\047/)
          if (closed) {
            w = substr(rest, 1, RLENGTH - 1); rest = substr(rest, RLENGTH + 1)
            emit((first || !hiding ? veil(w) : "") open)
            word_done(plain(quoted w)); open = ""
          } else { emit(first || !hiding ? veil(rest) : ""); quoted = quoted rest "\n"; rest = ""; first = 0 }
        }
        else if (match(rest, /^[ \t\r]+/)) { emit(substr(rest, 1, RLENGTH)); rest = substr(rest, RLENGTH + 1) }
        else {
          c = substr(rest, 1, 1)
          if (c == "#") rest = ""
          else if (c == ";" || c == "{") {
            emit(c); rest = substr(rest, 2)
            directive(c == "{")
            if (lua) {
              lua += gsub(/\{/, "", rest) - gsub(/\}/, "", rest)
              if (lua <= 0) { emit("}"); depth--; hiding = veiling[depth]; lua = 0 }
              rest = ""
            }
          } else if (c == "}") {
            types = 0; emit(c); rest = substr(rest, 2)
            pairs(depth)
            if (depth > 0) depth--
            words = 0; hiding = veiling[depth]
          } else if (c == "\"" || c == "\047") { emit(c); rest = substr(rest, 2); open = c; quoted = ""; first = 1 }
          else {
            if (!match(rest, /^(\$\{[^ \t;}]*\}|\\.|[^ \t\r;{\\])+/)) RLENGTH = 1
            w = substr(rest, 1, RLENGTH); rest = substr(rest, RLENGTH + 1)
            emit(veil(w)); word_done(plain(w))
          }
        }
      }
      if (mode == "mask") print out
    }
    END {
      if (mode == "mask") exit
      for (; depth >= 0; depth--) pairs(depth)
      for (i = 1; i <= lone_certs && i <= 20; i++) {
        for (j = 1; j <= lone_keys && j <= 20; j++) fact("pair", lone_cert[i], lone_key[j])
        if (!lone_keys) fact("pair", lone_cert[i], "")
      }
      for (i = 1; i <= aims; i++) if (!(aim[i] in upstreams)) fact("target", aim[i], bare[aim[i]])
    }'
}

# Whether a process is of this machine: containers have processes, and nginx, of their own.
ours() { [ "$(readlink "/proc/$1/ns/pid" 2>/dev/null)" = "$own_pids" ]; }

# The running nginx may be another program, or have another configuration, than what `nginx` finds. Only root's word
# counts: anybody may call a process "nginx: master process nginx -c /tmp/mine".
find_nginx() {
  nginx=nginx options=''
  own_pids=$(readlink /proc/self/ns/pid)
  masters=$(grep -ls '^nginx: master process' /proc/[0-9]*/cmdline)
  found=''
  for file in $masters; do
    pid=${file#/proc/} pid=${pid%/cmdline}
    [ "$(stat -c %u "/proc/$pid" 2>/dev/null)" = 0 ] && ours "$pid" && found="$found $pid"
  done
  case ${found# } in '' | *' '*) return ;; esac
  pid=${found# }
  program=$(readlink "/proc/$pid/exe" 2>/dev/null)
  case $program in *' '* | '') ;; *) [ -x "$program" ] && nginx=$program ;; esac
  options=$(tr '\000' ' ' <"/proc/$pid/cmdline" | awk '
    { for (i = 5; i < NF; i++) if (($i == "-c" || $i == "-p") && $(i + 1) ~ /^\/[A-Za-z0-9_.\/-]+$/) printf "%s %s ", $i, $(i + 1) }')
}

# What nginx would read and where that lies, before it is asked itself.
directory_of_nginx() {
  built=$(limited 2 "$nginx" -V 2>&1)
  built_status=$?
  main=$(printf '%s\n' "$options" | sed -n 's/.*-c \([^ ]*\).*/\1/p')
  [ -n "$main" ] || main=$(printf '%s\n' "$built" | sed -n 's/.*--conf-path=\([^ ]*\).*/\1/p')
  [ -n "$main" ] || main=/etc/nginx/nginx.conf
  base=${main%/*}
  pid_file=$(head -c 200000 -- "$main" 2>/dev/null | nginx_words facts | awk -F "$UNIT" '$1 == "pid" { print $2; exit }')
  [ -n "$pid_file" ] || pid_file=$(printf '%s\n' "$built" | sed -n 's/.*--pid-path=\([^ ]*\).*/\1/p')
}

# $known, $configuration and its status, from `nginx -T`, or from the files where that refuses.
read_configuration() {
  find_nginx
  directory_of_nginx
  complaints=/dev/null
  [ -z "$private" ] || complaints=$private/test
  had_pid_file=no
  [ -z "$pid_file" ] || [ ! -e "$pid_file" ] || had_pid_file=yes
  configuration=$({
    # What does not even tell its version in time is not asked for more.
    # shellcheck disable=SC2086 # several words
    if [ $built_status -eq 124 ]; then (exit 124); else limited 3 "$nginx" $options -T 2>"$complaints"; fi
    printf '\n\001%s' $?
  } </dev/null | tr -d '\000' | awk '
    NR > 1 { size += length(last) + 1; if (size < 1500000) print last }
    { last = $0 }
    END { print last }')
  [ $had_pid_file = yes ] || [ -n "$found" ] || [ -z "$pid_file" ] || [ -s "$pid_file" ] || rm -f -- "$pid_file"
  mark=$(printf '\001')
  configuration_status=${configuration##*"$mark"}
  configuration=${configuration%"$mark"*}
  case $configuration_status in
  0) ;;
  127) configuration='' ;;
  *) configuration=$(files_on_disk | tr -d '\000') ;;
  esac
  known=$(printf '%s\n' "$configuration" | nginx_words facts)
}

# The files of Debian's and Amazon's layout, as `nginx -T` would show them.
files_on_disk() {
  for file in "$main" "$base"/conf.d/*.conf "$base"/sites-enabled/* "$base"/default.d/*.conf "$base"/snippets/* \
    "$base"/modules-enabled/*; do
    [ -f "$file" ] && [ -r "$file" ] || continue
    case $file in *"
"*) continue ;; esac
    printf '# configuration file %s:\n' "$file"
    head -c 200000 -- "$file"
    echo
  done
}

nginx_version() {
  printf '%s\n' "$built"
  return $built_status
}

nginx_test() {
  if [ $built_status -eq 124 ]; then return 124; fi
  if [ -n "$private" ]; then
    hide_complaint <"$complaints"
    return "$configuration_status"
  fi
  # shellcheck disable=SC2086 # several words
  said=$(limited 3 "$nginx" $options -t 2>&1)
  status=$?
  printf '%s\n' "$said" | hide_complaint
  return $status
}

nginx_config() {
  printf '%s\n' "$configuration" | nginx_words mask
  return "$configuration_status"
}

# KIND -> its lines of what is known of the configuration.
known_of() { printf '%s\n' "$known" | awk -F "$UNIT" -v kind="$1" '$1 == kind { print $2 "\037" $3 }'; }

# FIELD -> $path: nginx takes relative paths from the directory of nginx.conf.
path_of() {
  unfield "$1"
  case $text in /*) path=$text ;; *) path=$base/$text ;; esac
}

nginx_service() {
  [ -d /run/systemd/system ] || return 127
  limited 2 systemctl is-active nginx
}

nginx_processes() {
  per_second=$(getconf CLK_TCK 2>/dev/null) || per_second=100
  now=$(date +%s.%N)
  case $now in *N* | *.) now=${now%%.*} ;; esac
  read -r up _ </proc/uptime
  # shellcheck disable=SC2013 # paths of /proc
  for file in $(grep -ls '^nginx: ' /proc/[0-9]*/cmdline); do
    case $({ tr '\000' ' ' <"$file"; } 2>/dev/null) in
    'nginx: master process'*) role=master ;;
    'nginx: worker process is shutting down'*) role='worker-shutting-down' ;;
    'nginx: worker process'*) role=worker ;;
    *) continue ;;
    esac
    pid=${file#/proc/} pid=${pid%/cmdline}
    ours "$pid" || continue
    awk -v role="$role" -v pid="$pid" -v now="$now" -v up="$up" -v hertz="$per_second" '
      { sub(/.*\) /, ""); printf "%s\t%s\t%.2f\n", role, pid, now - up + $20 / hertz; exit }' "/proc/$pid/stat" 2>/dev/null
  done
  return 0
}

# PATH -> when it last changed, with hundredths; of a link's target unless -l comes first.
modified() {
  follow=-L
  [ "$1" = -l ] && follow='' && shift
  # shellcheck disable=SC2086 # none or one
  when=$(stat $follow -c '%Y %y' -- "$1" 2>/dev/null) || return 0
  part=${when#*.}
  printf '%s.%.2s' "${when%% *}" "${part}00"
}

# PATH -> the field of where it leads.
real() {
  target=$(readlink -f -- "$1"; echo x)
  field "${target%?x}"
}

nginx_files() {
  known_of file | while IFS=$UNIT read -r name _; do
    in_time || exit 124
    path_of "$name"
    printf '%s\t%s\t%s\t%s\n' "$name" "$(modified "$path")" "$(modified -l "$path")" "$(real "$path")"
  done
}

# --- certificates ---------------------------------------------------------------------------------------------------

# FILE LABEL -> what is wrong with it: nothing, missing, unreadable, malformed.
fault_of() {
  if [ ! -e "$1" ]; then
    # Only root can tell what is not there from what it may not see.
    if [ "$uid" = 0 ] || [ -x "${1%/*}" ]; then echo missing; else echo unreadable; fi
  elif [ ! -r "$1" ] || [ ! -f "$1" ]; then echo unreadable
  elif ! head -c 200000 -- "$1" | grep -q -- "-----BEGIN [A-Z0-9 ]*$2-----"; then echo malformed
  fi
}

# FILE -> its first certificate, with \n between the lines.
leaf() {
  head -c 200000 -- "$1" | tr -d '\r\000' | awk '
    /^-----BEGIN (TRUSTED |X509 )?CERTIFICATE-----$/ { inside = 1 }
    inside && (/^-----(BEGIN|END) [A-Z0-9 ]*CERTIFICATE-----$/ || /^[A-Za-z0-9+\/=]+$/) { printf "%s\\n", $0 }
    inside && /^-----END/ { exit }'
}

# $certificate_key, the public part of the certificate, KEY -> whether the key has the same.
matches() {
  [ -n "$certificate_key" ] || { echo unknown && return; }
  grep -q ENCRYPTED -- "$1" && echo unknown && return
  key_part=$(limited 2 openssl pkey -in "$1" -pubout -passin pass: 2>/dev/null) || key_part=''
  if [ -z "$key_part" ]; then echo unknown
  elif [ "$certificate_key" = "$key_part" ]; then echo yes
  else echo no
  fi
}

# Certificate, key, and whether the key is no file. What names a variable is another file for each visitor; what follows
# data:, engine: and store: may be the key itself.
certificate_pairs() {
  known_of pair | awk -F "$UNIT" '
    $1 ~ /\$/ || $1 ~ /^data:/ { next }
    $2 ~ /^(data|engine|store):/ || $2 ~ /\$/ { sub(/:.*/, ":", $2); print $1 "\037" $2 "\037yes"; next }
    { print $0 "\037" }'
  for live in /etc/letsencrypt/live/*/fullchain.pem; do
    [ -e "$live" ] || [ -L "$live" ] || continue
    printf '%s\037%s\037\n' "$(field "$live")" "$(field "${live%fullchain.pem}privkey.pem")"
  done
}

certificates() {
  certificate_pairs | awk -v most=$pairs_most '!seen[$0]++ && ++count <= most' | while IFS=$UNIT read -r named named_key no_file; do
    in_time || exit 124
    # Hundreds of pairs leave time for the other sections.
    [ $((ticks - began)) -lt 300 ] || exit 0
    path_of "$named_key"
    key=$path
    path_of "$named"
    fault=$(fault_of "$path" CERTIFICATE) key_fault='' match=unknown pem='' target=''
    if [ -z "$named_key" ]; then key_fault=missing
    elif [ -z "$no_file" ]; then key_fault=$(fault_of "$key" 'PRIVATE KEY')
    fi
    if [ -z "$fault" ]; then
      pem=$(leaf "$path")
      certificate_key=$(limited 2 openssl x509 -in "$path" -noout -pubkey 2>/dev/null)
      [ $? -eq 1 ] && fault=malformed
      [ -z "$fault$key_fault$no_file" ] && match=$(matches "$key")
    fi
    [ ! -e "$path" ] || target=$(real "$path")
    printf '%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n' "$named" "$named_key" "$target" "$(modified "$path")" \
      "$(modified "$key")" "$fault" "$key_fault" "$match" "$pem"
  done
}

# --- certbot --------------------------------------------------------------------------------------------------------

# certbot takes longest: it runs beside the other sections, and is heard at the end.
start_certbot() {
  [ -n "$private" ] || return 0
  ask_version version 2>/dev/null &
  ask_list list 2>/dev/null &
}

# NAME: leave the answer and its status in the private directory.
ask_version() {
  limited 5 env TMPDIR="$private" certbot --version >"$private/$1" 2>&1 </dev/null
  echo $? >"$private/$1.status"
}

# certbot locks its directories and rotates its log each time: it gets its own, with links to the real ones. Before it
# knows of them it writes a log into TMPDIR, which stays there where certbot is killed.
ask_list() {
  mkdir "$private/config" && for part in accounts archive live renewal; do
    [ ! -e "/etc/letsencrypt/$part" ] || ln -s "/etc/letsencrypt/$part" "$private/config/$part"
  done
  limited 6 env TMPDIR="$private" certbot certificates --config-dir "$private/config" --work-dir "$private/work" \
    --logs-dir "$private/logs" >"$private/$1" 2>&1 </dev/null
  echo $? >"$private/$1.status"
}

# NAME: what certbot answered.
heard() {
  command -v certbot >/dev/null 2>&1 || return 127
  [ -n "$private" ] || { echo 'no private directory could be made for the locks and the log of certbot'; return 1; }
  while [ ! -s "$private/$1.status" ]; do
    in_time || return 124
    sleep 0.1 2>/dev/null || sleep 1
  done
  hide_lines_of_keys <"$private/$1"
  return "$(cat "$private/$1.status")"
}

certbot_dry_run() {
  said=$(limited 90 env TMPDIR="$private" certbot renew --dry-run --no-random-sleep-on-renew --non-interactive 2>&1)
  status=$?
  printf '%s\n' "$said" | hide_lines_of_keys
  return $status
}

# Whether a text runs certbot: by its own words, or by those of a script that it names. A backup of /etc/letsencrypt does
# not.
runs_certbot() {
  case $1 in *certbot* | *letsencrypt-auto* | *bin/letsencrypt* | *'letsencrypt renew'*) return 0 ;; esac
  set -f
  for word in $1; do
    word=${word#path=}
    case $word in /bin/* | /usr/bin/* | /dev/* | *[*]*) continue ;; /*) ;; *) continue ;; esac
    [ -f "$word" ] && [ -r "$word" ] && head -c 20000 -- "$word" | grep -qE "$CERTBOT" && set +f && return 0
  done
  set +f
  return 1
}

# PROPERTY UNITS...: lines of a unit and of this property of it.
shown() {
  property=$1
  shift
  limited 2 systemctl show --property=Id --property="$property" -- "$@" 2>/dev/null | awk -v wanted="$property" '
    /^Id=/ { id = substr($0, 4) }
    index($0, wanted "=") == 1 { value = substr($0, length(wanted) + 2) }
    /^$/ { if (id != "") print id "\t" value; id = value = "" }
    END { if (id != "") print id "\t" value }'
}

timers() {
  [ -d /run/systemd/system ] && command -v systemctl >/dev/null 2>&1 || return 0
  names=$({
    limited 2 systemctl list-unit-files --type=timer --no-legend --no-pager
    limited 2 systemctl list-units --all --type=timer --no-legend --no-pager --plain
  } 2>/dev/null | awk '$1 ~ /^[A-Za-z0-9:_.@\\-]+[^@]\.timer$/ && !seen[$1]++ && ++count <= 100 { print $1 }')
  [ -n "$names" ] || return 0
  # shellcheck disable=SC2086 # several names
  services=$(shown Unit $names)
  # shellcheck disable=SC2046 # several names
  starts=$(shown ExecStart $(printf '%s\n' "$services" | cut -f2))
  printf '%s\n' "$services" | while IFS=$TAB read -r timer service; do
    start=$(printf '%s\n' "$starts" | awk -F '\t' -v service="$service" '$1 == service { print $2 }')
    runs_certbot "$timer $start" || continue
    printf 'timer\t%s\t%s %s %s\n' "$(field "$timer")" \
      "$(limited 2 systemctl is-active -- "$timer" 2>/dev/null | head -n 1)" \
      "$(limited 2 systemctl is-enabled -- "$timer" 2>/dev/null | head -n 1)" \
      "$(limited 2 systemctl list-timers --all --no-legend --no-pager -- "$timer" 2>/dev/null | head -n 1 | tr '\t' ' ')"
  done
}

# FILE: a crontab's lines that run certbot; those that are commented out as inactive.
crontab_lines() {
  [ -f "$1" ] && [ -r "$1" ] || return 0
  head -c 100000 -- "$1" | tr -d '\000' | awk '
    { kind = sub(/^#[ \t]*/, "") ? "cron-inactive" : "cron" }
    { sub(/^[ \t]+/, "") }
    $1 ~ /^@[a-z]+$/ && NF > 1 { print kind " " $0; next }
    $1 $2 $3 ~ /^[-0-9*\/,]+$/ && $4 $5 ~ /^[-0-9A-Za-z*\/,]+$/ && NF > 5 { print kind " " $0 }' |
    while IFS= read -r line; do
      kind=${line%% *} entry=${line#* }
      runs_certbot "$entry" || continue
      # Debian's own entry leaves the work to the timer where systemd runs.
      case $entry in *'! -d /run/systemd/system'*) [ ! -d /run/systemd/system ] || kind=cron-inactive ;; esac
      printf '%s\t%s\t%s\n' "$kind" "$(field "$1")" "$(field "$entry" | hide)"
    done
}

certbot_timers() {
  timers
  for file in /etc/crontab /etc/cron.d/* /var/spool/cron/crontabs/* /var/spool/cron/*; do
    in_time || return 124
    crontab_lines "$file"
  done
  for file in /etc/cron.hourly/* /etc/cron.daily/* /etc/cron.weekly/* /etc/cron.monthly/*; do
    [ -f "$file" ] || continue
    head -c 20000 -- "$file" | grep -qE "$CERTBOT" || continue
    kind=cron
    [ -x "$file" ] || kind=cron-inactive
    # run-parts passes over what has a dot in its name.
    case ${file##*/} in *[!A-Za-z0-9_-]*) kind=cron-inactive ;; esac
    printf '%s\t%s\t%s\n' "$kind" "$(field "$file")" 'a script of its directory'
  done
  daemon=stopped
  # shellcheck disable=SC2013 # paths of /proc
  for file in $(grep -lsxE 'cron|crond|anacron|fcron' /proc/[0-9]*/comm); do
    pid=${file#/proc/}
    ours "${pid%/comm}" && daemon=running
  done
  printf 'cron-daemon\t%s\n' $daemon
}

certbot_renewal_conf() {
  [ -d /etc/letsencrypt ] || return 127
  for file in /etc/letsencrypt/renewal/*.conf; do
    [ -f "$file" ] && [ -r "$file" ] || continue
    file_field=$(field "$file")
    head -c 20000 -- "$file" | tr -d '\000\r\t' | hide | file=$file_field awk '
      /^\[/ { map = /webroot_map/ }
      match($0, / *= */) {
        name = substr($0, 1, RSTART - 1); value = substr($0, RSTART + RLENGTH)
        if (map) name = "webroot_map:" name
        else if (name !~ /^(authenticator|installer|webroot_path|server|autorenew|(pre|post|renew|deploy)_hook)$/ &&
          name !~ /^(cert|key|privkey|fullchain|archive_dir)$/) next
        gsub(/\\/, "&&", value)
        printf "%s\t%s\t%s\n", ENVIRON["file"], name, value
      }'
  done
  for file in /etc/letsencrypt/renewal-hooks/deploy/* /etc/letsencrypt/renewal-hooks/post/*; do
    [ -f "$file" ] && [ -x "$file" ] && [ -r "$file" ] || continue
    kind=${file%/*}
    text=$(head -c 20000 -- "$file" | tr -d '\000\r' | grep -v '^[[:space:]]*#' | grep -m 5 -E 'nginx|reload|restart' | hide)
    printf '%s\thook\t%s\n' "$(field "$file")" "${kind##*/}: $(field "$text")"
  done
}

# --- network --------------------------------------------------------------------------------------------------------

ufw_status() {
  command -v ufw >/dev/null 2>&1 || return 127
  if unshare -m true 2>/dev/null; then
    limited 3 unshare -m sh -c 'mount -t tmpfs none /run 2>/dev/null; exec ufw status verbose'
  else
    limited 3 ufw status verbose
  fi
}
nft_ruleset() { limited 3 nft -j list ruleset; }
iptables_rules() { limited 3 iptables-save; }
ip6tables_rules() { limited 3 ip6tables-save; }

listeners() {
  if command -v ss >/dev/null 2>&1; then
    limited 3 ss -l -t -n -p | awk '
      $1 == "LISTEN" {
        n = match($4, /:[0-9]+$/); port = substr($4, n + 1); address = substr($4, 1, n - 1)
        if (port != 80 && port != 443) next
        gsub(/[][]/, "", address); sub(/%.*/, "", address)
        program = ""
        if (match($0, /\(\("[^"]*"/)) program = substr($0, RSTART + 3, RLENGTH - 4)
        gsub(/[\\\t]/, "?", program)
        # ss shows a socket of both families as *.
        if (address == "*") { print "0.0.0.0\t" port "\t" program; address = "::" }
        print address "\t" port "\t" program
      }'
    return
  fi
  cat /proc/net/tcp /proc/net/tcp6 2>/dev/null | awk '
    function octet(s, i) {
      return (index(digits, substr(s, i, 1)) - 1) * 16 + index(digits, substr(s, i + 1, 1)) - 1
    }
    function group(s, i) { return tolower(substr(s, i + 2, 2) substr(s, i, 2)) }
    BEGIN { digits = "0123456789ABCDEF" }
    $4 == "0A" && $2 ~ /:(0050|01BB)$/ {
      port = $2 ~ /0050$/ ? 80 : 443; raw = $2; sub(/:.*/, "", raw); address = ""
      if (length(raw) == 8) address = octet(raw, 7) "." octet(raw, 5) "." octet(raw, 3) "." octet(raw, 1)
      else if (raw ~ /^0+$/) address = "::"
      # Four words, each with its octets turned round.
      else for (i = 1; i < 32; i += 8) address = address (i > 1 ? ":" : "") group(raw, i + 4) ":" group(raw, i)
      print address "\t" port "\t"
    }'
}

# shellcheck disable=SC2016 # perl's own variables
# UID GIDS PATH: connect to a unix socket as the worker of nginx would, and print what became of it.
TRY_PERL='
  use Socket; my ($uid, $gids, $path) = @ARGV;
  if ($uid ne "") { my ($first) = split / /, $gids; $( = $first; $) = "$first $gids"; $< = $uid; $> = $uid; }
  length($path) < 108 and socket(my $s, AF_UNIX, SOCK_STREAM, 0) or exit 9;
  if (connect($s, pack_sockaddr_un($path))) { print "connected"; exit; }
  print $!{ECONNREFUSED} ? "refused" : $!{ENOENT} ? "missing" : $!{EACCES} ? "denied" : "unknown";'
TRY_PYTHON='
import os, socket, sys
uid, gids, path = sys.argv[1:]
if uid:
    groups = [int(gid) for gid in gids.split()]
    os.setgroups(groups); os.setgid(groups[0]); os.setuid(int(uid))
try:
    socket.socket(socket.AF_UNIX).connect(os.fsencode(path)); print("connected")
except ConnectionRefusedError: print("refused")
except FileNotFoundError: print("missing")
except PermissionError: print("denied")
except OSError: print("unknown")'

# PATH -> $result and $detail.
try_socket() {
  result=unknown detail=''
  if [ ! -e "$1" ]; then
    [ "$uid" = 0 ] && result=missing detail='no such file'
    return
  fi
  if [ ! -S "$1" ]; then result=missing detail='not a socket' && return; fi
  user_id='' group_ids=''
  if [ "$uid" = 0 ] && [ "$worker" != root ]; then
    user_id=$(id -u -- "$worker" 2>/dev/null) && group_ids=$(id -G -- "$worker" 2>/dev/null)
  fi
  if command -v perl >/dev/null 2>&1; then
    said=$(limited 2 perl -MErrno -e "$TRY_PERL" "$user_id" "$group_ids" "$1" 2>/dev/null) || said=$?
  elif command -v python3 >/dev/null 2>&1; then
    said=$(limited 2 python3 -ISc "$TRY_PYTHON" "$user_id" "$group_ids" "$1" 2>/dev/null) || said=$?
  else
    detail='neither perl nor python3 to try with'
    return
  fi
  case $said in
  connected) result=accepts ;;
  refused) result=refused detail='connection refused' ;;
  missing) result=missing detail='no such file' ;;
  denied) result=denied detail="permission denied for $worker" ;;
  124) result=timeout detail='no answer' ;;
  esac
}

# HOST PORT -> $result and $detail.
try_port() {
  result=unknown detail=''
  # shellcheck disable=SC2016 # bash's own
  said=$(limited 2 bash -c 'exec 3<>"/dev/tcp/$0/$1"' "$1" "$2" 2>&1)
  case $?:$said in
  0:*) result=accepts ;;
  124:*) result=timeout detail='no answer' ;;
  127:*) detail='no bash to try with' ;;
  *refused*) result=refused detail='connection refused' ;;
  *unreachable* | *'No route'*) result=timeout detail='unreachable' ;;
  *'not known'* | *'No address'*) result=missing detail='the name has no address' ;;
  esac
}

# FIELD PORT: the line of one target.
try_target() {
  unfield "$1"
  case $text in
  unix:*) try_socket "${text#unix:}" ;;
  *[!A-Za-z0-9.:_[\]-]*) result=unknown detail='not a plain address' ;;
  *)
    if [ -n "$2" ]; then host=$text port=$2; else host=${text%:*} port=${text##*:}; fi
    host=${host#\[}
    try_port "${host%\]}" "$port"
    ;;
  esac
  printf '%s\t%s\t%s\n' "$1" "$result" "$(field "$detail")"
}

# All at once: each may take its full time.
upstreams() {
  worker=$(known_of user | head -n 1)
  worker=${worker%%"$UNIT"*}
  [ -n "$worker" ] || worker=$(printf '%s\n' "$built" | sed -n 's/.*--user=\([A-Za-z0-9_.-]*\).*/\1/p')
  [ -n "$worker" ] || worker=nobody
  known_of target | head -n 40 | {
    while IFS=$UNIT read -r named port; do try_target "$named" "$port" & done
    wait
  }
}

# --- logs -----------------------------------------------------------------------------------------------------------

# PATH FILTER: the last lines of a log.
log_tail() {
  if [ ! -e "$1" ]; then echo 'no such file' && return 1; fi
  if [ ! -f "$1" ] || [ ! -r "$1" ]; then echo 'not a readable file' && return 1; fi
  # Whoever may write to the directory of a log could point it at a secret.
  if [ -L "$1" ] && [ "$(stat -c %u -- "$1")" != 0 ]; then echo 'a link that does not belong to root' && return 1; fi
  limited 2 tail -c 400000 -- "$1" | tail -n 200 | cut -b1-4000 | "$2" | cut -b1-600
}

# KIND DEFAULT: a section for each of the logs of this kind in the configuration.
nginx_logs() {
  paths=$(known_of log | awk -F "$UNIT" -v kind="$1" '
    $1 == kind && $2 !~ /^(off|stderr|syslog:.*|memory:.*|.*\$.*|\/dev\/.*|)$/ && !seen[$2]++ && ++count <= 4 { print $2 }')
  [ -n "$paths" ] || paths=$2
  while IFS= read -r named; do
    path_of "$named"
    section "log_$1" "tail -n 200 $named" 2 log_tail "$path" hide_visits
  done <<END
$paths
END
}

# --- the document ---------------------------------------------------------------------------------------------------

# Where the collector is broken off, a certbot that still runs would make its directory anew.
clean_up() {
  [ -n "$private" ] || return
  # shellcheck disable=SC2013 # paths of /proc
  for file in $(grep -ls -- "$private" /proc/[0-9]*/cmdline /proc/[0-9]*/environ); do
    pid=${file#/proc/}
    kill -9 "${pid%/*}" 2>/dev/null
  done
  wait
  rm -rf -- "$private"
}

collect() {
  sections=''
  uid=$(id -u)
  look_at_clock
  deadline=$((ticks + BUDGET))
  private=$(mktemp -d /tmp/padlock.XXXXXXXX 2>/dev/null) || private=''
  trap clean_up EXIT
  trap 'exit 130' HUP INT PIPE TERM
  start_certbot
  read_configuration
  section nginx_version 'nginx -V' 2 nginx_version
  section nginx_test 'nginx -t' 4 nginx_test
  section nginx_config 'nginx -T' 3 nginx_config
  section nginx_processes 'ps' 4 nginx_processes
  section nginx_service 'systemctl is-active nginx' 2 nginx_service
  section nginx_files 'stat' 4 nginx_files
  section certificates 'openssl x509' 6 certificates
  section certbot_renewal_conf 'cat /etc/letsencrypt/renewal/*.conf' 2 certbot_renewal_conf
  section certbot_timers 'systemctl list-timers --all' 3 certbot_timers
  section ufw 'ufw status verbose' 3 ufw_status
  section nftables 'nft -j list ruleset' 3 nft_ruleset
  section iptables 'iptables-save' 3 iptables_rules
  section ip6tables 'ip6tables-save' 3 ip6tables_rules
  section listeners 'ss -ltnp' 3 listeners
  section upstreams 'connect' 4 upstreams
  nginx_logs error /var/log/nginx/error.log
  nginx_logs access /var/log/nginx/access.log
  section log_certbot 'tail -n 200 /var/log/letsencrypt/letsencrypt.log' 2 log_tail /var/log/letsencrypt/letsencrypt.log hide
  section certbot_version 'certbot --version' 6 heard version
  section certbot_list 'certbot certificates' 6 heard list
  wait
  if [ "$dry_run" = yes ]; then
    look_at_clock
    deadline=$((ticks + 9000))
    section certbot_dry_run 'certbot renew --dry-run' 90 certbot_dry_run
  fi
}

# The most characters of a log, of all certificates themselves, of another section, and of the configuration -> the
# document.
document() {
  printf '{"format":"padlock-host/1","collected_at":%s,"host":"%s","system":"%s","uid":%s,"sections":[' \
    "$collected_at" "$host" "$system" "$uid"
  printf '%s' "$sections" | awk -v log_most="$1" -v pem_most="$2" -v other_most="$3" -v config_most="$4" '
    # The lines of certificates, the last of them without the certificate itself; $cut.
    function thin(text, at, end, kept, size) {
      while (at = index(text, "\\t-----BEGIN ")) {
        kept = kept substr(text, 1, at + 1); text = substr(text, at + 2)
        end = index(text, "\\t")
        end = end ? end : length(text) + 1
        at = index(text, "-----END ")
        if (!at || at > end) continue
        at += index(substr(text, at), "CERTIFICATE-----") + 17
        size += at
        if (size > pem_most) cut = 1
        else kept = kept substr(text, 1, at)
        text = substr(text, at + 1)
      }
      return kept text
    }
    {
      at = index($0, ",\"output\":\"")
      start = substr($0, 1, at - 1); body = substr($0, at + 11, length($0) - at - 12)
      is_log = start ~ /^\{"name":"log_/; cut = 0
      most = is_log ? log_most : start ~ /^\{"name":"nginx_config"/ ? config_most : other_most
      if (start ~ /^\{"name":"certificates"/) body = thin(body)
      # Whole lines: the newest of a log, the first of all else.
      if (length(body) > most) {
        cut = 1
        n = split(body, line, "\\\\n"); body = ""; size = 0
        for (i = 1; i <= n; i++) {
          next_line = line[is_log ? n + 1 - i : i]
          size += length(next_line) + 2
          if (size > most) break
          body = is_log ? next_line (i > 1 ? "\\n" : "") body : body next_line "\\n"
        }
      }
      if (cut) sub(/"cut":false/, "\"cut\":true", start)
      printf "%s%s,\"output\":\"%s\"}", (NR > 1 ? "," : ""), start, body
    }'
  echo ']}'
}

# BOUNDS of a document: whether it is short enough; then it is $whole.
fits() {
  tried=$(document "$@" | $pack)
  [ ${#tried} -le "$most" ] && whole=$tried
}

# -> $whole, of which as little as possible is cut: logs before certificates, these before the other sections, and the
# configuration last, on which most is judged. In each line, @ is what is cut, from 2,400,000 characters down by quarters.
fit() {
  all=9999999
  fits $all $all $all $all && return
  if [ "$most" -ne $FULL_LIMIT ] && [ $pack = cat ]; then pack=packed && fits $all $all $all $all && return; fi
  while read -r least bounds; do
    # shellcheck disable=SC2046 # four numbers
    fits $(bounds_of $least) || continue
    low=0 high=30
    while [ $((high - low)) -gt 1 ]; do
      middle=$(((low + high) / 2)) step=0 size=2400000
      while [ $step -lt $middle ]; do step=$((step + 1)) size=$((size * 3 / 4)); done
      [ $size -gt "$least" ] || size=$least
      # shellcheck disable=SC2046 # four numbers
      if fits $(bounds_of $size); then high=$middle; else low=$middle; fi
    done
    return
  done <<END
500 @ $all $all $all
0 500 @ $all $all
2000 500 0 @ $all
0 500 0 4000 @
0 0 0 @ 0
END
  whole=$tried
}

# NUMBER -> the bounds with it.
bounds_of() { printf '%s\n' "$bounds" | sed "s/@/$1/"; }

packed() { printf 'padlock-host/1 gzip '; gzip -9 -n -c | base64 | tr -d '\n'; echo; }

main() {
  dry_run=no most=$LIMIT pack=cat pairs_most=100
  for option in "$@"; do
    case $option in
    --dry-run) dry_run=yes ;;
    --full) most=$FULL_LIMIT pairs_most=200 ;;
    --compress) pack=packed ;;
    --help) usage && exit 0 ;;
    *) usage >&2 && exit 2 ;;
    esac
  done
  collected_at=$(date +%s)
  host=$(uname -n | tr -d '\n' | encode)
  system=$(sed -n 's/^PRETTY_NAME="\{0,1\}\([^"]*\)"\{0,1\}$/\1/p' /etc/os-release 2>/dev/null | tr -d '\n' | encode)
  collect
  fit
  printf '%s\n' "$whole"
}

main "$@" </dev/null
