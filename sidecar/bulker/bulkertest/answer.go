package bulkertest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/google/uuid"
)

// authorized checks the token and the destination, as router_base.go and the handlers of router.go do.
func (s *Server) authorized(next http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
		switch {
		case s.options.Token == "" || token == s.options.Token:
		case token == "":
			writeJSON(w, http.StatusUnauthorized, map[string]string{"error": "Authorization header with Bearer token is required"})
			return
		default:
			writeJSON(w, http.StatusUnauthorized, map[string]string{"error": "Invalid token: " + token})
			return
		}
		id := r.PathValue("destination")
		if len(s.options.Destinations) > 0 && !slices.Contains(s.options.Destinations, id) {
			writeError(w, http.StatusNotFound, "destination not found: destination not found: "+id)
			return
		}
		if r.URL.Query().Get("tableName") == "" {
			writeError(w, http.StatusBadRequest, "missing required parameter: tableName query parameter is required")
			return
		}
		next(w, r)
	})
}

// masked is an error whose text Bulker keeps to its log.
func masked(kind string) string { return fmt.Sprintf("error# %s: %s", uuid.NewString(), kind) }

// writeError answers in the form of ResponseError.
func writeError(w http.ResponseWriter, status int, text string) {
	writeJSON(w, status, map[string]string{"error": text})
}

// writeJSON answers. A client that has gone does not get it, which is its own affair.
func writeJSON(w http.ResponseWriter, status int, value any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(value)
}

// cut closes the connection without an answer.
func cut(w http.ResponseWriter) {
	connection, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		w.WriteHeader(http.StatusInternalServerError) // cannot be: the server speaks HTTP/1.1 only
		return
	}
	_ = connection.Close() // there is nobody to tell
}
