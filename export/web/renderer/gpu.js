// What WebGL 2 needs for drawing from textures into textures.

/** A program that covers its target, or the canvas, with what the fragment shader computes. */
export class Pass {
  /**
   * @param {WebGL2RenderingContext} gl
   * @param {string} vertex
   * @param {string} fragment
   */
  constructor(gl, vertex, fragment) {
    this.gl = gl;
    this.program = gl.createProgram();
    for (const [kind, source] of [[gl.VERTEX_SHADER, vertex], [gl.FRAGMENT_SHADER, fragment]]) {
      const shader = gl.createShader(kind);
      gl.shaderSource(shader, source);
      gl.compileShader(shader);
      gl.attachShader(this.program, shader);
      gl.deleteShader(shader);
    }
    gl.linkProgram(this.program);
    this.uniforms = null;
  }

  /** Asked for only once drawing starts, so that all programs are compiled at the same time. */
  #inspect() {
    const { gl, program } = this;
    if (!gl.getProgramParameter(program, gl.LINK_STATUS) && !gl.isContextLost()) {
      const words = gl.getAttachedShaders(program).map((shader) => gl.getShaderInfoLog(shader));
      throw new Error(`A shader does not work on this device: ${[...words, gl.getProgramInfoLog(program)].join(' ')}`);
    }
    this.uniforms = new Map();
    const number = gl.getProgramParameter(program, gl.ACTIVE_UNIFORMS);
    for (let index = 0; index < number; index++) {
      const { name, type } = gl.getActiveUniform(program, index);
      this.uniforms.set(name, { type, location: gl.getUniformLocation(program, name) });
    }
  }

  /**
   * @param {{framebuffer, width, height}} target framebuffer null: the canvas
   * @param {object} values of the uniforms by name; others of the object are left out
   */
  draw(target, values) {
    const { gl } = this;
    if (!this.uniforms) this.#inspect();
    gl.useProgram(this.program);
    let unit = 0;
    for (const [name, { type, location }] of this.uniforms) {
      const value = values[name];
      if (type === gl.FLOAT) gl.uniform1f(location, value);
      else if (type === gl.FLOAT_VEC2) gl.uniform2fv(location, value);
      else if (type === gl.INT) gl.uniform1i(location, value);
      else if (type === gl.INT_VEC2) gl.uniform2iv(location, value);
      else {
        gl.activeTexture(gl.TEXTURE0 + unit);
        gl.bindTexture(gl.TEXTURE_2D, value.texture);
        gl.uniform1i(location, unit++);
      }
    }
    gl.bindFramebuffer(gl.FRAMEBUFFER, target.framebuffer);
    // Nothing of the last frame need be loaded.
    if (target.framebuffer) gl.invalidateFramebuffer(gl.FRAMEBUFFER, [gl.COLOR_ATTACHMENT0]);
    gl.viewport(0, 0, target.width, target.height);
    gl.drawArrays(gl.TRIANGLES, 0, 3);
  }
}

/** @returns {{texture, width, height}} a texture; `data` is null for one to be drawn into */
export function makeTexture(gl, format, width, height, data, filter = gl.NEAREST, wrap = gl.CLAMP_TO_EDGE) {
  const [internal, layout, type] = {
    colour: [gl.RGBA8, gl.RGBA, gl.UNSIGNED_BYTE],
    light: [gl.RGB8, gl.RGB, gl.UNSIGNED_BYTE],
    share: [gl.R16F, gl.RED, gl.FLOAT],
    tenBits: [gl.RGB10_A2, gl.RGBA, gl.UNSIGNED_INT_2_10_10_10_REV],
    sum: [gl.R32UI, gl.RED_INTEGER, gl.UNSIGNED_INT],
  }[format];
  const texture = gl.createTexture();
  gl.bindTexture(gl.TEXTURE_2D, texture);
  gl.pixelStorei(gl.UNPACK_ALIGNMENT, 1);
  gl.texStorage2D(gl.TEXTURE_2D, 1, internal, width, height);
  if (data) gl.texSubImage2D(gl.TEXTURE_2D, 0, 0, 0, width, height, layout, type, data);
  gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MIN_FILTER, filter);
  gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MAG_FILTER, filter);
  gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_WRAP_S, wrap);
  gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_WRAP_T, wrap);
  return { texture, width, height };
}

/** @returns {{texture, framebuffer, width, height}} a texture to be drawn into */
export function makeTarget(gl, format, width, height, filter, wrap) {
  const target = makeTexture(gl, format, width, height, null, filter, wrap);
  target.framebuffer = gl.createFramebuffer();
  gl.bindFramebuffer(gl.FRAMEBUFFER, target.framebuffer);
  gl.framebufferTexture2D(gl.FRAMEBUFFER, gl.COLOR_ATTACHMENT0, gl.TEXTURE_2D, target.texture, 0);
  return target;
}

/** Frees a texture, and what draws into it. */
export function free(gl, { texture, framebuffer }) {
  gl.deleteTexture(texture);
  if (framebuffer) gl.deleteFramebuffer(framebuffer);
}
