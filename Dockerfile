# One image for every role: bootstrap, server and client differ by their command only.
FROM node:24-bookworm-slim
WORKDIR /app
COPY package.json package-lock.json ./
COPY scripts/api-reference/package.json ./scripts/api-reference/package.json
COPY scripts/toolchain ./scripts/toolchain
RUN npm ci --ignore-scripts --omit=dev --omit=optional
COPY . .
RUN mkdir -p /data && chown node:node /data
USER node
ENV SWARM_HOME=/data ORT_DISABLE_TELEMETRY=1
VOLUME /data
EXPOSE 31330 9464 8000
ENTRYPOINT ["node", "cli/bin.js"]
CMD ["--help"]
