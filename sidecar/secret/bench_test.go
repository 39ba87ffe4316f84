package secret_test

import (
	"strings"
	"testing"

	"sync-sidecar/sidecar/secret"
)

// Every log line goes through Mask: most are clean, some hold JSON or a URL, few hold a secret.
func BenchmarkMask(b *testing.B) {
	key := rsaKey(64)
	clean := strings.Repeat("INFO syncing stream users, cursor 2024-01-01 ", 5)
	quoted := strings.Repeat(`DEBUG response "{\"id\": 17, \"name\": \"a\"}" of /v1/users?page=2&x=%20y `, 3)
	for name, secrets := range map[string][]string{
		"five":   {"hunter2hunter2", "sk_live_0123456789", pem, "postgres-password", "refresh-token-0123456789"},
		"key":    {"hunter2hunter2", "sk_live_0123456789", key, "postgres-password", "refresh/token+0123456789"},
		"twenty": append(strings.Fields(strings.Repeat("s3cr3t/v4lue+", 1)), many(20)...),
	} {
		masker := secret.NewMasker(secrets...)
		for kind, text := range map[string]string{"clean": clean, "dirty": clean + secrets[0] + clean, "escaped": quoted} {
			b.Run(name+"/"+kind, func(b *testing.B) {
				b.SetBytes(int64(len(text)))
				b.ReportAllocs()
				for b.Loop() {
					masker.Mask(text)
				}
			})
		}
	}
}

func BenchmarkAdd(b *testing.B) {
	key := rsaKey(64)
	b.ReportAllocs()
	for b.Loop() {
		secret.NewMasker(key)
	}
}

// many are different secrets.
func many(n int) []string {
	var all []string
	for i := range n {
		all = append(all, strings.Repeat(string(rune('a'+i)), 3)+"-s3cret/"+strings.Repeat(string(rune('A'+i)), 4))
	}
	return all
}
