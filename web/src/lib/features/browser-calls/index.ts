export { ask, listModels, type Connection } from './ask';
export { begin, stop } from './calls';
export { CallFault } from './fault';
