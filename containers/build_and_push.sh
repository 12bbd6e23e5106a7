#!/usr/bin/env bash
# Build one image, and push it unless its repository already holds the tag.
#   containers/build_and_push.sh IMAGE REPOSITORY_URI TAG     build and push to ECR
#   containers/build_and_push.sh IMAGE NAME TAG --local       build for this machine only
# IMAGE is a folder of containers/. The tag is a hash of all that the image is built from (pipelines/image_tags.py), so that a change of
# step code builds nothing. BASE is the image to build upon, with its digest; CA_BUNDLE a certificate file for a proxy, used while building only.
set -euo pipefail

if [[ $# -lt 3 || $# -gt 4 || ( $# -eq 4 && $4 != --local ) ]]; then
  echo "usage: containers/build_and_push.sh IMAGE REPOSITORY_URI TAG [--local]" >&2
  exit 2
fi
image=$1 repository=$2 tag=$3 local_only=${4:-}
root=$(cd "$(dirname "$0")/.." && pwd)
folder=$root/containers/$image
if [[ ! -f $folder/Dockerfile ]]; then
  echo "error: $folder/Dockerfile: not found; IMAGE is one of: $(cd "$root/containers" && echo */ | tr -d /)" >&2
  exit 2
fi
reference=$repository:$tag

registry_call() { # ask ECR with boto3, since the aws command need not be there
  "${PYTHON:-python3}" - "$repository" "$tag" "$1" <<'PYTHON'
import base64, sys
import boto3
repository, tag, what = sys.argv[1:]
host, _, name = repository.partition("/")
ecr = boto3.client("ecr", region_name=host.split(".")[3])
if what == "password":
    token = ecr.get_authorization_token()["authorizationData"][0]["authorizationToken"]
    print(base64.b64decode(token).decode().partition(":")[2])
else:
    try:
        ecr.describe_images(repositoryName=name, imageIds=[{"imageTag": tag}])
        print("yes")
    except ecr.exceptions.ImageNotFoundException:
        print("no")
PYTHON
}

if [[ -n $local_only ]]; then
  found=no
  if docker image inspect "$reference" > /dev/null 2>&1; then found=yes; fi
else
  found=$(registry_call exists) # on its own, so that a failure ends the script
fi
if [[ $found == yes ]]; then
  echo "$reference is there already"
  exit 0
fi

context=$(mktemp -d)
trap 'rm -rf "$context"' EXIT
cp -R "$folder/." "$context"
cp "$root/config/libraries.txt" "$context/libraries.txt"
options=(--progress plain)
# SageMaker's machines are amd64, whatever this one is; its registries take one plain image, not an index with attestations.
if [[ -z $local_only ]]; then options+=(--platform linux/amd64); fi
export DOCKER_BUILDKIT=1 BUILDX_NO_DEFAULT_ATTESTATIONS=1
if [[ -n ${BASE:-} ]]; then options+=(--build-arg "BASE=$BASE"); fi
if [[ -n ${CA_BUNDLE:-} ]]; then options+=(--secret "id=ca,src=$CA_BUNDLE"); fi
# An engine without a bridge has no other way out than the machine's own network.
if ! docker network inspect bridge > /dev/null 2>&1; then options+=(--network host); fi
docker build "${options[@]}" --tag "$reference" "$context"

if [[ -z $local_only ]]; then
  registry_call password | docker login --username AWS --password-stdin "${repository%%/*}"
  docker push "$reference"
fi
