#!/usr/bin/env bash
# Build both images for this machine (`make containers`), for `--launcher docker` and `make test-containers`.
# BASE names the image to build upon; without it the one that the Dockerfiles name is pulled, and where no image registry can be reached, a plain
# Debian is made with debootstrap. CA_BUNDLE is a certificate file for a proxy (default: SSL_CERT_FILE), used while building only.
set -euo pipefail
cd "$(dirname "$0")/.."

if ! docker version > /dev/null 2>&1; then
  echo "skipped: no Docker engine runs here; start one, then: make containers"
  exit 0
fi

make_base() { # a plain Debian, kept for the next time
  local base=segment-pipeline-base:bookworm folder
  if ! docker image inspect "$base" > /dev/null 2>&1; then
    echo "no image registry can be reached: making $base with debootstrap" >&2
    if ! command -v debootstrap > /dev/null; then
      apt-get update --quiet=2 >&2 && apt-get install --yes --quiet=2 debootstrap >&2 || return 1
    fi
    folder=$(mktemp -d)
    # The caller's substitution switches -e off in here, so that each step has to stop the next itself.
    debootstrap --variant=minbase --include=ca-certificates bookworm "$folder/root" >&2 \
      && tar --create --directory "$folder/root" --file "$folder/root.tar" . \
      && docker import "$folder/root.tar" "$base" >&2 || { rm -rf "$folder"; return 1; }
    rm -rf "$folder"
  fi
  echo "$base"
}

pull() { # give up early where no image registry answers; macOS has no timeout command
  if command -v timeout > /dev/null; then timeout 60 docker pull --quiet "$1"; else docker pull --quiet "$1"; fi
}

if [[ -z ${BASE:-} ]]; then
  BASE=public.ecr.aws/docker/library/python:3.11-slim-bookworm
  if ! docker image inspect "$BASE" > /dev/null 2>&1 && ! pull "$BASE" > /dev/null 2>&1; then
    BASE=$(make_base)
  fi
fi
export BASE CA_BUNDLE=${CA_BUNDLE:-${SSL_CERT_FILE:-}}

"${PYTHON:-python3}" -c '
from pathlib import Path
from pipelines.surroundings import local_images
for image, name in local_images(Path()).items():
    print(image, *name.rsplit(":", 1))
' | while read -r image name tag; do
  bash containers/build_and_push.sh "$image" "$name" "$tag" --local < /dev/null
  docker image inspect --format "{{index .RepoTags 0}}  {{.Size}}" "$name:$tag" | awk '{printf "%s  %.0f MB\n", $1, $2 / 1e6}'
done
