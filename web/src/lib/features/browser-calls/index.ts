export { AnswerReader } from './answer';
export { ask, listModels, readAnswer, type Connection } from './ask';
export { title, translate } from './aside';
export { begin, stop } from './calls';
export { CallFault } from './fault';
