// The application is one static shell: everything is rendered in the browser.
export const ssr = false;
export const prerender = false;
