package local

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"unicode/utf8"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/airbyte"
)

// The folders of rows and of the indexes of their keys, and endings of the names in it. A namespace's folder never carries one of them, so that it
// cannot be taken for a file.
const (
	rowsDir    = "rows"
	keysDir    = "keys"
	rowsSuffix = ".ndjson"
	tempSuffix = ".tmp" // what a killed run left behind; removed by the next Resume
	tailSuffix = ".tail" + tempSuffix
)

// maxName leaves room in the 255 bytes of a file name for rowsSuffix and what temporary files add.
const maxName = 228

// emptyName stands for "": no other name can become a lone percent sign.
const emptyName = "%"

// OfReads says of a name in a sync's folder that only reads need and change what it is of: the rows, their keys, and what says how much of them is
// valid.
func OfReads(name string) bool {
	return name == rowsDir || name == keysDir || name == recordFile || name == changesFile
}

// OfStates says of a name in a sync's folder that it is one of the files that hold the saved states.
func OfStates(name string) bool { return name == recordFile || name == changesFile }

// RowsFile is where the rows of a stream are, relative to the folder of its sync and with slashes: "rows/<stream>.ndjson", or
// "rows/<namespace>/<stream>.ndjson". Two streams never share a file.
func RowsFile(stream airbyte.StreamDescriptor) string {
	file := safeName(stream.Name) + rowsSuffix
	if stream.Namespace == "" {
		return path.Join(rowsDir, file)
	}
	return path.Join(rowsDir, safeFolder(stream.Namespace), file)
}

// StreamOf is the stream whose rows are in file, a name that RowsFile made. False when it made no such name, or cut it.
func StreamOf(file string) (stream airbyte.StreamDescriptor, found bool) {
	name, below := strings.CutPrefix(file, rowsDir+"/")
	name, ended := strings.CutSuffix(name, rowsSuffix)
	if !below || !ended {
		return stream, false
	}
	if namespace, rest, nested := strings.Cut(name, "/"); nested {
		name = rest
		if stream.Namespace, found = unsafeName(namespace); !found {
			return stream, false
		}
	}
	stream.Name, found = unsafeName(name)
	return stream, found && RowsFile(stream) == file
}

// Dir is the folder of one sync below LOCAL_DIR: it is named after SyncID; without one after the package, without registry, version and digest;
// without either it is "sync".
func Dir(localDir string, identity sidecar.Identity) string {
	name := identity.SyncID
	if name == "" {
		name = packageName(identity.Package)
	}
	if name == "" {
		name = "sync"
	}
	return filepath.Join(localDir, safeName(name))
}

// packageName is the last part of an image or program name: "source-faker" of "registry:5000/airbyte/source-faker:dev@sha256:…".
func packageName(image string) string {
	image, _, _ = strings.Cut(image, "@")
	image = image[strings.LastIndexByte(image, '/')+1:]
	name, _, _ := strings.Cut(image, ":")
	return name
}

// safeName makes one file name of any text. It is reversible by unsafeName: what file systems or people stumble over is percent-encoded.
// A name longer than maxName is cut and ends in "%~" and 24 digits of its hash.
func safeName(name string) string {
	if name == "" {
		return emptyName
	}
	var safe strings.Builder
	for rest := name; rest != ""; {
		char, width := utf8.DecodeRuneInString(rest)
		if plain(char, width, len(rest) == len(name)) {
			safe.WriteString(rest[:width])
		} else {
			for _, b := range []byte(rest[:width]) {
				fmt.Fprintf(&safe, "%%%02X", b)
			}
		}
		rest = rest[width:]
	}
	if safe.Len() <= maxName {
		return safe.String()
	}
	sum := sha256.Sum256([]byte(name))
	return cutName(safe.String(), maxName-2-24) + "%~" + hex.EncodeToString(sum[:12])
}

// plain says whether a character stands for itself in a file name.
func plain(char rune, width int, first bool) bool {
	switch {
	case char == utf8.RuneError && width <= 1: // not UTF-8
		return false
	case char < ' ' || char == 0x7f || (char >= 0x80 && char < 0xa0): // control characters
		return false
	case char == '.':
		return !first // hidden files, "." and ".."
	}
	return !strings.ContainsRune(`%/\`, char)
}

// cutName shortens an encoded name without leaving half a character or half an escape.
func cutName(name string, limit int) string {
	name = name[:limit]
	for len(name) > 0 && !utf8.ValidString(name) {
		name = name[:len(name)-1]
	}
	if at := strings.LastIndexByte(name, '%'); at >= len(name)-2 && at >= 0 {
		name = name[:at]
	}
	return name
}

// safeFolder is safeName for a namespace: an ending that files have is broken up, because a stream's file could carry the same name.
func safeFolder(namespace string) string {
	name := safeName(namespace)
	for _, suffix := range []string{rowsSuffix, tempSuffix} {
		if strings.HasSuffix(name, suffix) {
			return strings.TrimSuffix(name, suffix) + "%2E" + suffix[1:]
		}
	}
	return name
}

// unsafeName is the text that safeName or safeFolder encoded; false when the name was cut, or is not of their making.
func unsafeName(name string) (string, bool) {
	if name == emptyName {
		return "", true
	}
	var text []byte
	for i := 0; i < len(name); i++ {
		if name[i] != '%' {
			text = append(text, name[i])
			continue
		}
		if i+2 >= len(name) {
			return "", false
		}
		b, err := strconv.ParseUint(name[i+1:i+3], 16, 8)
		if err != nil {
			return "", false
		}
		text = append(text, byte(b))
		i += 2
	}
	return string(text), true
}
