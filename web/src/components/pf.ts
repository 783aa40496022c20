// SPDX-License-Identifier: Apache-2.0
// The only door to PatternFly: deep imports, so that the style sheet holds just the components that are used here.
export { Alert, AlertActionCloseButton, AlertActionLink, AlertGroup } from '@patternfly/react-core/dist/dynamic/components/Alert';
export { Button } from '@patternfly/react-core/dist/dynamic/components/Button';
export { Checkbox } from '@patternfly/react-core/dist/dynamic/components/Checkbox';
export { Divider } from '@patternfly/react-core/dist/dynamic/components/Divider';
export { Dropdown, DropdownGroup, DropdownItem, DropdownList } from '@patternfly/react-core/dist/dynamic/components/Dropdown';
export { EmptyState, EmptyStateActions, EmptyStateBody, EmptyStateFooter } from '@patternfly/react-core/dist/dynamic/components/EmptyState';
export { ActionGroup, Form, FormGroup, FormHelperText } from '@patternfly/react-core/dist/dynamic/components/Form';
export { FormSelect, FormSelectOption } from '@patternfly/react-core/dist/dynamic/components/FormSelect';
export { HelperText, HelperTextItem } from '@patternfly/react-core/dist/dynamic/components/HelperText';
export { Label, LabelGroup } from '@patternfly/react-core/dist/dynamic/components/Label';
export { MenuToggle, type MenuToggleElement } from '@patternfly/react-core/dist/dynamic/components/MenuToggle';
export { Modal, ModalBody, ModalFooter, ModalHeader } from '@patternfly/react-core/dist/dynamic/components/Modal';
export { Progress, ProgressMeasureLocation, ProgressVariant } from '@patternfly/react-core/dist/dynamic/components/Progress';
export { SearchInput } from '@patternfly/react-core/dist/dynamic/components/SearchInput';
export { Skeleton } from '@patternfly/react-core/dist/dynamic/components/Skeleton';
export { Spinner } from '@patternfly/react-core/dist/dynamic/components/Spinner';
export { TextArea } from '@patternfly/react-core/dist/dynamic/components/TextArea';
export { TextInput } from '@patternfly/react-core/dist/dynamic/components/TextInput';
export { ToggleGroup, ToggleGroupItem } from '@patternfly/react-core/dist/dynamic/components/ToggleGroup';
