package truststore

import (
	"crypto/sha1" //nolint:gosec // the format has no other
	"encoding/binary"
	"errors"
	"fmt"
	"time"
	"unicode/utf16"
)

// The format of Java's key stores since 1.2, which every version reads (sun.security.provider.JavaKeyStore). Numbers are big-endian.
const (
	jksMagic       = 0xFEEDFEED
	jksVersion     = 2
	jksKey         = 1 // an entry with a private key and its certificates
	jksCertificate = 2 // an entry with a certificate that is trusted
	jksType        = "X.509"
)

// Password is that of Java's own stores. It keeps nothing secret: it only shows whether a store is whole.
const Password = "changeit"

// writeJKS writes certificates as a key store.
func writeJKS(certificates [][]byte, now time.Time) []byte {
	text := func(store []byte, text string) []byte {
		return append(binary.BigEndian.AppendUint16(store, uint16(len(text))), text...)
	}
	number := func(store []byte, n int) []byte { return binary.BigEndian.AppendUint32(store, uint32(n)) }
	store := number(number(number(nil, jksMagic), jksVersion), len(certificates))
	for i, certificate := range certificates {
		store = text(number(store, jksCertificate), fmt.Sprintf("ca-%d", i+1))
		store = binary.BigEndian.AppendUint64(store, uint64(now.UnixMilli()))
		store = append(number(text(store, jksType), len(certificate)), certificate...)
	}
	return append(store, jksSum(store)...)
}

// jksSum is what stands behind the entries.
func jksSum(store []byte) []byte {
	var salted []byte
	for _, unit := range utf16.Encode([]rune(Password)) {
		salted = binary.BigEndian.AppendUint16(salted, unit)
	}
	sum := sha1.Sum(append(append(salted, "Mighty Aphrodite"...), store...)) //nolint:gosec // see the import
	return sum[:]
}

// errCut says that a store ends too early.
var errCut = errors.New("the key store is cut off")

// readJKS are the certificates that a key store trusts. Its sum, of a password that need not be ours, is not looked at.
func readJKS(content []byte) ([][]byte, error) {
	r := &jksReader{rest: content}
	if r.number() != jksMagic || r.number() != jksVersion {
		return nil, errors.New("is no key store of a known kind")
	}
	var found [][]byte
	for entries := r.number(); entries > 0 && !r.cut; entries-- {
		tag := r.number()
		r.text() // alias
		r.take(8)
		chain := uint32(1)
		switch tag {
		case jksCertificate:
		case jksKey:
			r.take(r.number())
			chain = r.number()
		default:
			return nil, fmt.Errorf("the key store has an entry of kind %d", tag)
		}
		for ; chain > 0 && !r.cut; chain-- {
			kind := r.text()
			certificate := r.take(r.number())
			if tag == jksCertificate && kind == jksType && !r.cut {
				found = append(found, certificate)
			}
		}
	}
	if r.cut {
		return nil, errCut
	}
	return found, nil
}

// jksReader reads the parts of a key store. Behind its end everything is empty, and cut is set.
type jksReader struct {
	rest []byte
	cut  bool
}

func (r *jksReader) take(length uint32) []byte {
	if uint64(length) > uint64(len(r.rest)) {
		r.rest, r.cut = nil, true
		return nil
	}
	taken := r.rest[:length]
	r.rest = r.rest[length:]
	return taken
}

func (r *jksReader) number() uint32 {
	if taken := r.take(4); taken != nil {
		return binary.BigEndian.Uint32(taken)
	}
	return 0
}

func (r *jksReader) text() string {
	if taken := r.take(2); taken != nil {
		return string(r.take(uint32(binary.BigEndian.Uint16(taken))))
	}
	return ""
}
