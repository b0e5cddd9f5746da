# Serves an export: docker build -t llmdistill-serve . && docker run -p 8080:8080 -v "$PWD/model:/model:ro" llmdistill-serve
# `docker kill --signal HUP CONTAINER` loads the folder again, `docker stop` ends it when begun requests are answered.
FROM python:3.13-slim

RUN useradd --create-home --uid 1000 service
WORKDIR /source
COPY constraints.txt pyproject.toml setup.py README.md LICENSE llmdistill_commands.py ./
COPY properties properties
COPY dataset_converters dataset_converters
COPY recbole_llmdistill recbole_llmdistill
# serve imports neither PyTorch nor RecBole, so the package goes in without its requirements, and with these alone.
RUN pip install --no-cache-dir -c constraints.txt fastapi uvicorn onnxruntime prometheus-client numpy pydantic pyyaml psutil \
    && pip install --no-cache-dir --no-deps .

USER 1000
WORKDIR /home/service
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8080/health', timeout=3)"]
ENTRYPOINT ["llmdistill", "serve", "--host", "0.0.0.0", "--port", "8080", "--model", "/model"]
