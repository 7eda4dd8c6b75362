// A fault that is planted into the program under test (node --import): the index forgets a file, and no node is told.
import { AmendService } from '../../../../dist/files/amend.service.js';
import { patch } from './patch.mjs';

patch(
  AmendService,
  'bury',
  (bury) =>
    function (fileId, where, change) {
      return bury.call(this, fileId, { ...where, nodes: [] }, change);
    },
);
